"""What permits cost the store, and what comes of them when steps meet or break off."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.breaker.breaker import Breakers
from relay.breaker.transitions import Outcome, Signal, State, standing
from relay.clock import Clock
from relay.config.model import CircuitBreakerConfig
from relay.state.memory import MemoryStore
from relay.state.store import Looked
from tests.breaker.circuit import CONFIG
from tests.breaker.conftest import OPEN_S, PROVIDER, Worker, Workers
from tests.state.given import SetClock


class Counting(MemoryStore):
    """Counts its steps; before one look it lets somebody else come between."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.looks = self.swaps = 0
        self.between: Callable[[], None] | None = None

    def look(self, names: Sequence[str]) -> Looked:
        self.looks += 1
        return super().look(names)

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        self.swaps += 1
        between, self.between = self.between, None
        if between:
            between()
        return super().swap(name, old, new)


def test_a_success_while_all_is_well_costs_one_look() -> None:
    store = Counting()
    breakers = Breakers(store)

    permit = breakers.admit(PROVIDER, None, 0.0, CONFIG)
    assert permit is not None
    before = store.looks
    permit.success()

    assert (before, store.looks, store.swaps) == (0, 1, 0)


def test_a_breaker_that_closed_again_costs_one_swap_more_and_then_one_look() -> None:
    store = Counting(clock := SetClock(1_800_000_000.0))
    worker = Worker(store, Breakers(store))
    worker.open()
    clock.later(OPEN_S)
    late = [worker.let_in() for _ in range(CONFIG.half_open_probes)]
    for permit in late:
        permit.success()
    assert worker.state() is State.CLOSED

    costs = []
    for _ in range(3):
        permit, before = worker.let_in(), store.swaps
        permit.success()
        costs.append(store.swaps - before)

    assert costs == [1, 0, 0]
    assert store.look([worker.breakers.name(PROVIDER)]).records == [None]


def test_a_probe_that_comes_too_late_to_close_it_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Counting(clock := SetClock(1_800_000_000.0))
    worker = Worker(store, Breakers(store))
    worker.open()
    clock.later(OPEN_S)
    one = CircuitBreakerConfig(3, int(OPEN_S * 1000), 1)
    first = worker.breakers.admit(PROVIDER, *_record_and_time(worker), one)
    assert first is not None
    epoch = standing(*_record_and_time(worker), one).epoch
    caplog.clear()
    caplog.set_level(logging.INFO)
    store.between = first.success

    worker.breakers.hear(PROVIDER, Outcome(Signal.SUCCESS, epoch), one, "probes succeeded")

    assert [record.message for record in caplog.records] == ["breaker changed"]
    assert worker.state() is State.CLOSED


def _record_and_time(worker: Worker) -> tuple[bytes | None, float]:
    now, (record,) = worker.store.look([worker.breakers.name(PROVIDER)])
    return record, now


def test_a_failure_counts_though_another_comes_between() -> None:
    store = Counting()
    worker = Worker(store, Breakers(store))
    worker.let_in().failure("first")
    other = worker.let_in()
    store.between = lambda: other.failure("second")

    worker.let_in().failure("third")

    assert worker.state() is State.OPEN


def test_no_failure_of_many_threads_is_lost(workers: Workers) -> None:
    config = CircuitBreakerConfig(40, 30_000, 1)
    breakers = workers().breakers, workers().breakers

    def _fail_ten_times(number: int) -> None:
        for _ in range(10):
            permit = breakers[number % 2].admit(PROVIDER, None, 0.0, config)
            assert permit is not None
            permit.failure("refused")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(_fail_ten_times, range(4)))

    now, (record,) = breakers[0].store.look([breakers[0].name(PROVIDER)])
    assert standing(record, now, config).state is State.OPEN


def test_an_end_gives_up_where_others_always_come_between() -> None:
    store = Counting()
    worker = Worker(store, Breakers(store))
    name = worker.breakers.name(PROVIDER)

    def _come_between() -> None:
        store.between = _come_between
        MemoryStore.swap(store, name, store.look([name]).records[0], f"{store.swaps}".encode())

    store.between = _come_between

    worker.let_in().failure("refused")

    assert 1 < store.swaps < 100


class Broken(MemoryStore):
    """A store whose look is broken off once it is told to."""

    is_broken = False

    def look(self, names: Sequence[str]) -> Looked:
        if self.is_broken:
            raise KeyboardInterrupt
        return super().look(names)


def test_a_step_that_is_broken_off_leaves_no_place_behind(clock: SetClock) -> None:
    store = Broken(clock)
    worker = Worker(store, Breakers(store))
    worker.open()
    clock.later(OPEN_S)
    now, (record,) = store.look([worker.breakers.name(PROVIDER)])
    permit = worker.let_in()
    assert permit.place is not None

    store.is_broken = True
    with pytest.raises(KeyboardInterrupt):
        permit.success()
    with pytest.raises(KeyboardInterrupt):
        worker.breakers.admit(PROVIDER, record, now, CONFIG)

    held = [store.hold(permit.place[0], 2, 1.0) for _ in range(2)]
    assert None not in held
