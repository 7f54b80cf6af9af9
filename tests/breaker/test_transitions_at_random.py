"""The state machine against one as it would be written naively, and against any record."""

import math
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.breaker.transitions import Signal, State, caught_up, standing
from relay.config.model import CircuitBreakerConfig
from tests.breaker.circuit import CONFIG, NOW, Circuit, a_mark

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
