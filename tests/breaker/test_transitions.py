"""The table of behaviour 10.1, by itself and against a breaker as one would naively write it."""

import itertools
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.breaker.transitions import (
    CLOSED,
    UNCHANGED,
    Outcome,
    Signal,
    Standing,
    State,
    Unchanged,
    after,
    caught_up,
    standing,
)
from relay.config.model import CircuitBreakerConfig

CONFIG = CircuitBreakerConfig(failure_threshold=3, open_duration_ms=30_000, half_open_probes=2)
NOW = 1_800_000_000.0
HALF = NOW + 30

_marks = itertools.count(1)


def a_mark() -> bytes:
    """Another one each time."""
    return next(_marks).to_bytes(8, "big")


class Circuit:
    """A record and what is done to it."""

    def __init__(self, config: CircuitBreakerConfig = CONFIG) -> None:
        self.record: bytes | None = None
        self._config = config

    def hears(self, signal: Signal, now: float = NOW, epoch: bytes = b"") -> bool:
        """Whether something was to be written."""
        changed = after(self.record, Outcome(signal, epoch), now, self._config, mark=a_mark())
        if isinstance(changed, Unchanged):
            return False
        self.record = changed
        return True

    def stands(self, now: float = NOW) -> Standing:
        """As others see it."""
        return standing(self.record, now, self._config)

    def fails(self, times: int, now: float = NOW) -> None:
        """So many failures of requests that are no probes."""
        for _ in range(times):
            self.hears(Signal.FAILURE, now)


@pytest.fixture
def circuit() -> Circuit:
    """A closed one."""
    return Circuit()


@pytest.fixture
def opened(circuit: Circuit) -> Circuit:
    """One that opened at `NOW`."""
    circuit.fails(3)
    return circuit


def test_without_a_record_it_is_closed(circuit: Circuit) -> None:
    assert circuit.stands() == CLOSED


def test_failures_in_a_row_open_it(circuit: Circuit) -> None:
    circuit.fails(2)
    before = circuit.stands()
    circuit.fails(1)

    assert (before.state, circuit.stands().state) == (State.CLOSED, State.OPEN)


def test_a_success_starts_the_row_anew_and_leaves_no_record(circuit: Circuit) -> None:
    circuit.fails(2)

    assert circuit.hears(Signal.SUCCESS)
    assert circuit.record is None
    circuit.fails(2)
    assert circuit.stands().state is State.CLOSED


def test_a_success_with_a_clean_record_is_nothing_to_write(circuit: Circuit) -> None:
    assert not circuit.hears(Signal.SUCCESS)


def test_an_open_one_is_half_open_when_its_time_has_passed_and_nobody_wrote_that(
    opened: Circuit,
) -> None:
    assert opened.stands(NOW).until == HALF
    assert opened.stands(HALF - 0.001).state is State.OPEN
    assert opened.stands(HALF).state is State.HALF_OPEN


@pytest.mark.parametrize("signal", [Signal.FAILURE, Signal.SUCCESS])
def test_what_ends_while_it_is_open_began_before_and_changes_nothing(
    opened: Circuit, signal: Signal
) -> None:
    assert not opened.hears(signal, NOW + 5)
    assert not opened.hears(signal, NOW + 5, opened.stands().epoch)


def test_a_good_active_probe_turns_it_half_open_at_once(opened: Circuit) -> None:
    epoch = opened.stands().epoch

    assert opened.hears(Signal.PROBED, NOW + 5)
    assert opened.stands(NOW + 5) == Standing(State.HALF_OPEN, epoch=epoch)


def test_an_active_probe_says_nothing_of_one_that_is_not_open(circuit: Circuit) -> None:
    assert not circuit.hears(Signal.PROBED)
    circuit.fails(3)
    assert not circuit.hears(Signal.PROBED, HALF)


def test_successes_of_its_probes_close_it(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch

    assert opened.hears(Signal.SUCCESS, HALF, epoch)
    assert opened.stands(HALF).state is State.HALF_OPEN
    assert opened.hears(Signal.SUCCESS, HALF + 1, epoch)
    assert opened.stands(HALF + 1) == CLOSED


def test_closed_again_it_counts_from_nothing(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch
    for _ in range(2):
        opened.hears(Signal.SUCCESS, HALF, epoch)

    assert not opened.hears(Signal.SUCCESS, HALF)
    opened.fails(2, HALF)
    assert opened.stands(HALF).state is State.CLOSED


def test_one_failure_of_a_probe_opens_it_again_and_its_time_starts_anew(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch
    opened.hears(Signal.SUCCESS, HALF, epoch)

    assert opened.hears(Signal.FAILURE, HALF + 1, epoch)
    again = opened.stands(HALF + 1)
    assert (again.state, again.until) == (State.OPEN, HALF + 31)
    assert again.epoch != epoch


@pytest.mark.parametrize("signal", [Signal.FAILURE, Signal.SUCCESS])
def test_half_open_hears_of_nobody_but_its_own_probes(opened: Circuit, signal: Signal) -> None:
    earlier = opened.stands(HALF).epoch
    opened.hears(Signal.FAILURE, HALF, earlier)
    later = HALF + 30

    assert opened.stands(later).state is State.HALF_OPEN
    assert not opened.hears(signal, later)
    assert not opened.hears(signal, later, earlier)
    assert opened.hears(signal, later, opened.stands(later).epoch)


def test_all_workers_agree_on_a_phase_that_nobody_wrote(opened: Circuit) -> None:
    written = caught_up(opened.record, HALF + 7, CONFIG, mark=a_mark())

    assert isinstance(written, bytes)
    assert standing(written, HALF + 7, CONFIG).epoch == opened.stands(HALF + 9).epoch


def test_nothing_is_to_be_caught_up_with_but_a_time_that_has_passed(opened: Circuit) -> None:
    written = caught_up(opened.record, HALF, CONFIG, mark=a_mark())

    assert isinstance(written, bytes)
    assert caught_up(written, HALF, CONFIG, mark=a_mark()) is UNCHANGED
    assert caught_up(opened.record, HALF - 1, CONFIG, mark=a_mark()) is UNCHANGED
    assert caught_up(None, HALF, CONFIG, mark=a_mark()) is UNCHANGED


@pytest.mark.parametrize("failures", [1, 3])
def test_two_who_write_the_same_write_different_records(failures: int) -> None:
    one, other = Circuit(), Circuit()
    one.fails(failures)
    other.fails(failures)

    assert one.record != other.record


@pytest.mark.parametrize("record", [b"", b"x", bytes(200), b"\x09" + bytes(40)])
def test_what_is_no_record_of_ours_is_closed(record: bytes) -> None:
    assert standing(record, NOW, CONFIG) == CLOSED


def test_a_new_configuration_holds_for_an_old_record(opened: Circuit) -> None:
    shorter = CircuitBreakerConfig(3, 1000, 2)

    assert standing(opened.record, NOW + 1, shorter).state is State.HALF_OPEN


RECORD = struct.Struct("<BIId8s8s")
TIMES = st.floats(min_value=-1e12, max_value=1e12) | st.sampled_from(
    [math.inf, -math.inf, math.nan, NOW, NOW + 29, NOW + 31, NOW + 1e9]
)


@given(
    state=st.integers(0, 3),
    counts=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    opened_at=TIMES,
)
def test_no_record_keeps_a_provider_out_for_longer_than_twice_its_time(
    state: int, counts: tuple[int, int], opened_at: float
) -> None:
    record = RECORD.pack(state, *counts, opened_at, b"epoch---", b"mark----")

    assert standing(record, NOW + 60, CONFIG).state is not State.OPEN or opened_at > NOW
    found = standing(record, NOW, CONFIG)
    if found.state is State.OPEN:
        assert found.until <= NOW + 60
        assert standing(record, found.until, CONFIG).state is State.HALF_OPEN


class Naive:
    """The breaker of behaviour 10.1 for one thread, in the words of the page."""

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self._config = config
        self.state = State.CLOSED
        self.phase = 0
        self._row = 0
        self._until = 0.0

    def pass_to(self, now: float) -> None:
        if self.state is State.OPEN and now >= self._until:
            self._half_open()

    def probed(self) -> None:
        if self.state is State.OPEN:
            self._half_open()

    def ends(self, phase: int | None, now: float, *, well: bool) -> None:
        """`phase`: whose probe it was."""
        if self.state is State.CLOSED:
            self._row = 0 if well else self._row + 1
            if self._row >= self._config.failure_threshold:
                self._open(now)
        elif self.state is State.HALF_OPEN and phase == self.phase:
            self._row += 1
            if not well:
                self._open(now)
            elif self._row >= self._config.half_open_probes:
                self.state, self._row = State.CLOSED, 0

    def _open(self, now: float) -> None:
        self.state, self._row = State.OPEN, 0
        self.phase += 1
        self._until = now + self._config.open_duration_ms / 1000

    def _half_open(self) -> None:
        self.state, self._row = State.HALF_OPEN, 0


CONFIGS = st.builds(
    CircuitBreakerConfig,
    failure_threshold=st.integers(1, 4),
    open_duration_ms=st.sampled_from([1, 1000, 30_000]),
    half_open_probes=st.integers(1, 3),
)
# What is admitted, ends (any that is admitted, well or not), is probed, is caught up with, waits.
ACTS = st.lists(
    st.just(("admit",))
    | st.tuples(st.just("end"), st.integers(0, 5), st.booleans())
    | st.tuples(st.sampled_from(["probed", "caught up"]))
    | st.tuples(st.just("wait"), st.sampled_from([0.001, 0.999, 1.0, 15.0, 30.0])),
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(config=CONFIGS, acts=ACTS)
def test_it_does_what_a_naive_breaker_does(
    config: CircuitBreakerConfig, acts: list[tuple[str | float | bool, ...]]
) -> None:
    circuit, naive, now = Circuit(config), Naive(config), NOW
    admitted: list[tuple[bytes, int | None]] = [(b"", None)] * 3

    for act, *what in acts:
        naive.pass_to(now)
        found = circuit.stands(now)
        assert found.state is naive.state
        if act == "wait":
            now += float(what[0])
        elif act == "admit" and found.state is not State.OPEN:
            is_probe = found.state is State.HALF_OPEN
            admitted.append((found.epoch, naive.phase if is_probe else None))
        elif act == "end" and admitted:
            epoch, phase = admitted.pop(int(what[0]) % len(admitted))
            signal = Signal.SUCCESS if what[1] else Signal.FAILURE
            circuit.hears(signal, now, epoch)
            naive.ends(phase, now, well=bool(what[1]))
        elif act == "probed":
            circuit.hears(Signal.PROBED, now)
            naive.probed()
        elif act == "caught up":
            changed = caught_up(circuit.record, now, config, mark=a_mark())
            circuit.record = changed if isinstance(changed, bytes) else circuit.record


@given(rows=st.lists(st.integers(0, 2), max_size=30))
def test_no_row_with_a_success_in_it_opens(rows: list[int]) -> None:
    circuit = Circuit()

    for failures in rows:
        circuit.fails(failures)
        circuit.hears(Signal.SUCCESS)
        assert circuit.stands().state is State.CLOSED


@given(threshold=st.integers(1, 50))
def test_a_row_as_long_as_the_threshold_opens_and_none_that_is_shorter(threshold: int) -> None:
    circuit = Circuit(CircuitBreakerConfig(threshold, 1000, 1))

    circuit.fails(threshold - 1)
    before = circuit.stands().state
    circuit.fails(1)

    assert (before, circuit.stands().state) == (State.CLOSED, State.OPEN)
