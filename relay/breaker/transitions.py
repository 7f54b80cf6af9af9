"""Transitions: the circuit breaker of one provider as a pure state machine (behaviour 10.1).

    closed ── failures in a row ──► open ── its time, or a good active probe ──► half-open
       ▲                             ▲                                              │ │
       │                             └────────────────── one failure ───────────────┘ │
       └──────────────────────────── successes in a row ──────────────────────────────┘

The state is a small record that workers share by compare and set; no record means closed, without
a failure. Time alone opens the way back: an open record whose time has passed *is* half-open, and
nobody needs to write that. Each half-open phase has an epoch, made when the breaker opened, and
hears of nobody but its own probes: what was sent before says nothing about a recovery.

Each record that is written holds a mark of its writer's, so that of two who write the same only
one has won. No clock, no chance and no store in here.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from relay.config.model import CircuitBreakerConfig

MARK_BYTES: Final = 8

_NO_EPOCH: Final = b""


class State(Enum):
    """Whether a provider may be asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    """By a few, who find out."""


class Signal(Enum):
    """What the breaker hears."""

    FAILURE = "failure"
    SUCCESS = "success"
    PROBED = "probed"
    """An active probe was good."""


class Unchanged(Enum):
    """A signal that changes nothing: there is nothing to write."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Standing(NamedTuple):
    """A record as it stands at one moment."""

    state: State
    until: float = 0.0
    """When an open one turns half-open, in Unix seconds of the store."""
    epoch: bytes = _NO_EPOCH
    """Which half-open phase it is, or will be; empty while closed."""


class Outcome(NamedTuple):
    """How something ended that was let through."""

    signal: Signal
    epoch: bytes = _NO_EPOCH
    """The half-open phase whose probe it was; empty: it was none."""


CLOSED: Final = Standing(State.CLOSED)


def standing(record: bytes | None, now: float, config: CircuitBreakerConfig) -> Standing:
    """How a record stands `now`, in Unix seconds of the store; what is no record is closed."""
    if record is None:
        return CLOSED
    circuit = _unpacked(record)
    if circuit.state is State.CLOSED:
        return CLOSED
    if circuit.state is State.HALF_OPEN:
        return Standing(State.HALF_OPEN, epoch=circuit.epoch)
    duration_s = config.open_duration_ms / 1000
    until = circuit.opened_at + duration_s
    # More than its whole time ahead: the store's clock has stepped back since, or it is no time at
    # all. Nobody waits for that.
    is_open = now < until <= now + 2 * duration_s
    return Standing(State.OPEN if is_open else State.HALF_OPEN, until, circuit.epoch)


def after(
    record: bytes | None, outcome: Outcome, now: float, config: CircuitBreakerConfig, *, mark: bytes
) -> bytes | Unchanged | None:
    """The record after this outcome, None for none; `mark` is random, new with each call."""
    found = standing(record, now, config)
    circuit = _CLEAN if record is None else _unpacked(record)
    step = _STEPS[found.state, outcome.signal]
    changed = step(replace(circuit, state=found.state), outcome, _Means(now, config, mark))
    if isinstance(changed, Unchanged):
        return UNCHANGED
    if changed is _CLEAN:
        return UNCHANGED if record is None else None
    return _packed(replace(changed, mark=mark))


def caught_up(
    record: bytes | None, now: float, config: CircuitBreakerConfig, *, mark: bytes
) -> bytes | Unchanged:
    """An open record whose time has passed, written as what it is: half-open."""
    if record is None or standing(record, now, config).state is not State.HALF_OPEN:
        return UNCHANGED
    circuit = _unpacked(record)
    if circuit.state is State.HALF_OPEN:
        return UNCHANGED
    return _packed(replace(circuit, state=State.HALF_OPEN, mark=mark))


@dataclass(frozen=True, slots=True)
class _Circuit:
    state: State
    failures: int = 0
    successes: int = 0
    opened_at: float = 0.0
    epoch: bytes = bytes(MARK_BYTES)
    mark: bytes = bytes(MARK_BYTES)


_CLEAN: Final = _Circuit(State.CLOSED)


class _Means(NamedTuple):
    now: float
    config: CircuitBreakerConfig
    mark: bytes


_Step = Callable[[_Circuit, Outcome, _Means], "_Circuit | Unchanged"]


def _nothing(*_: object) -> Unchanged:
    return UNCHANGED


def _count_failure(circuit: _Circuit, _: Outcome, means: _Means) -> _Circuit:
    failures = min(circuit.failures + 1, _MOST)
    if failures >= means.config.failure_threshold:
        return _opened(means)
    return replace(circuit, failures=failures)


def _start_the_row_anew(_: _Circuit, __: Outcome, ___: _Means) -> _Circuit:
    return _CLEAN


def _turn_half_open(circuit: _Circuit, _: Outcome, __: _Means) -> _Circuit:
    return replace(circuit, state=State.HALF_OPEN, successes=0)


def _open_again(circuit: _Circuit, outcome: Outcome, means: _Means) -> _Circuit | Unchanged:
    return _opened(means) if outcome.epoch == circuit.epoch else UNCHANGED


def _count_success(circuit: _Circuit, outcome: Outcome, means: _Means) -> _Circuit | Unchanged:
    if outcome.epoch != circuit.epoch:
        return UNCHANGED
    successes = min(circuit.successes + 1, _MOST)
    if successes >= means.config.half_open_probes:
        # With a mark: who closed it is one, and says so. The next success leaves no record.
        return _Circuit(State.CLOSED)
    return replace(circuit, successes=successes)


_STEPS: Final[Mapping[tuple[State, Signal], _Step]] = {
    (State.CLOSED, Signal.FAILURE): _count_failure,
    (State.CLOSED, Signal.SUCCESS): _start_the_row_anew,
    (State.CLOSED, Signal.PROBED): _nothing,
    # Nothing is let through while open: these began before.
    (State.OPEN, Signal.FAILURE): _nothing,
    (State.OPEN, Signal.SUCCESS): _nothing,
    (State.OPEN, Signal.PROBED): _turn_half_open,
    (State.HALF_OPEN, Signal.FAILURE): _open_again,
    (State.HALF_OPEN, Signal.SUCCESS): _count_success,
    (State.HALF_OPEN, Signal.PROBED): _nothing,
}


def _opened(means: _Means) -> _Circuit:
    return _Circuit(State.OPEN, opened_at=means.now, epoch=means.mark)


_CODES: Final = (State.CLOSED, State.OPEN, State.HALF_OPEN)
# State, failures in a row, successes in a row, when it opened, the epoch, the mark.
_RECORD: Final = struct.Struct(f"<BIId{MARK_BYTES}s{MARK_BYTES}s")
# What its fields hold.
_MOST: Final = 2**32 - 1


def _packed(circuit: _Circuit) -> bytes:
    return _RECORD.pack(
        _CODES.index(circuit.state),
        circuit.failures,
        circuit.successes,
        circuit.opened_at,
        circuit.epoch,
        circuit.mark,
    )


def _unpacked(record: bytes) -> _Circuit:
    """Another version's record, or no record at all, is a closed circuit."""
    try:
        code, *rest = _RECORD.unpack(record)
        return _Circuit(_CODES[code], *rest)
    except (struct.error, IndexError):
        return _CLEAN
