"""Active probes: whom they ask, how often, and what comes of the answer."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from relay.breaker.breaker import Breakers
from relay.breaker.probe import Prober
from relay.breaker.transitions import State
from relay.config.model import CooldownConfig, HealthCheckConfig, HealthConfig
from relay.state.memory import MemoryStore
from relay.state.store import StoreAway
from tests.breaker.circuit import CONFIG
from tests.breaker.conftest import OPEN_S, PROVIDER, Worker, Workers
from tests.state.given import SetClock

LIMIT_S = 5.0
INTERVAL_MS = 10_000


@dataclass
class Scene:
    """What a prober is given, and whom it asked."""

    status: int | None = 200
    enabled: bool = True
    interval_ms: int = INTERVAL_MS
    providers: Sequence[str] = (PROVIDER, "another")
    error: Exception | None = None
    meanwhile: Callable[[], None] | None = None
    asked: list[str] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)

    def send(self, provider: str) -> int | None:
        self.asked.append(provider)
        self.was_asked.set()
        if self.meanwhile:
            self.meanwhile()
        if self.error:
            raise self.error
        return self.status

    def current(self) -> tuple[HealthConfig, Sequence[str]]:
        check = HealthCheckConfig(enabled=self.enabled, interval_ms=self.interval_ms)
        return HealthConfig(CONFIG, check, CooldownConfig(0, 0), 0), self.providers

    def prober(self, worker: Worker, clock: SetClock | None = None) -> Prober:
        return Prober(worker.breakers, self.send, self.current, jitter_s=0.0, clock=clock)


@pytest.fixture
def scene() -> Scene:
    """A provider that is well again."""
    return Scene()


@pytest.mark.parametrize("status", [200, 204, 301, 401, 404, 429, 499])
def test_any_status_below_500_turns_an_open_one_half_open_and_no_further(
    worker: Worker, scene: Scene, clock: SetClock, status: int
) -> None:
    worker.open()
    scene.status = status

    scene.prober(worker, clock).round()

    assert scene.asked == [PROVIDER]
    assert worker.state() is State.HALF_OPEN


@pytest.mark.parametrize("status", [500, 503, 529, None])
def test_a_failure_or_no_answer_leaves_it_open(
    worker: Worker, scene: Scene, clock: SetClock, status: int | None
) -> None:
    worker.open()
    scene.status = status

    scene.prober(worker, clock).round()

    assert scene.asked == [PROVIDER]
    assert worker.state() is State.OPEN


def test_nobody_is_asked_who_is_not_open(worker: Worker, scene: Scene, clock: SetClock) -> None:
    prober = scene.prober(worker, clock)
    prober.round()
    worker.open()
    clock.later(OPEN_S)
    prober.round()

    assert scene.asked == []


def test_switched_off_nobody_is_asked(worker: Worker, scene: Scene, clock: SetClock) -> None:
    worker.open()
    scene.enabled = False

    scene.prober(worker, clock).round()

    assert scene.asked == []


def test_many_workers_ask_no_more_often_than_one(
    workers: Workers, scene: Scene, clock: SetClock
) -> None:
    one, other = workers(), workers()
    scene.status = 503
    one.open()
    probers = [scene.prober(one, clock), scene.prober(other, clock)]

    for _ in range(2):
        for prober in probers * 3:
            prober.round()
        clock.later(INTERVAL_MS / 1000)

    assert scene.asked == [PROVIDER] * 2


def test_while_one_asks_no_other_does(workers: Workers, clock: SetClock) -> None:
    one, other = workers(), workers()
    one.open()
    scene, second = Scene(status=503, interval_ms=1), Scene(interval_ms=1)
    scene.meanwhile = second.prober(other, clock).round

    scene.prober(one, clock).round()

    assert (scene.asked, second.asked) == ([PROVIDER], [])


def test_a_probe_that_took_longer_than_the_interval_leaves_its_place_at_once(
    workers: Workers, clock: SetClock
) -> None:
    one, other = workers(), workers()
    one.open()
    slow, second = Scene(status=None, interval_ms=4000), Scene()
    slow.meanwhile = lambda: clock.later(5)

    slow.prober(one, clock).round()
    second.prober(other, clock).round()

    assert second.asked == [PROVIDER]


def test_a_prober_that_died_is_not_waited_for_for_long(
    workers: Workers, scene: Scene, clock: SetClock
) -> None:
    worker = workers()
    worker.open()
    assert worker.store.hold(f"prober/{PROVIDER}", 1, 10.0) is not None  # as the dead one did

    scene.prober(worker, clock).round()
    before = list(scene.asked)
    clock.later(10)
    scene.prober(worker, clock).round()

    assert (before, scene.asked) == ([], [PROVIDER])


def test_a_reload_changes_whom_it_asks(worker: Worker, scene: Scene, clock: SetClock) -> None:
    worker.open()
    prober = scene.prober(worker, clock)
    scene.providers = ("another",)

    prober.round()

    assert scene.asked == []


@pytest.fixture
def worker_in_time() -> Worker:
    """A worker whose store has the machine's own clock."""
    store = MemoryStore()
    return Worker(store, Breakers(store))


@pytest.fixture
def running(worker_in_time: Worker, scene: Scene) -> Iterator[Prober]:
    """A prober that has been started, with an interval of nearly nothing."""
    scene.interval_ms = 10
    prober = scene.prober(worker_in_time)
    prober.start()
    yield prober
    prober.close()


@pytest.mark.usefixtures("running")
def test_started_it_asks_by_itself(worker_in_time: Worker, scene: Scene) -> None:
    worker_in_time.open()

    assert scene.was_asked.wait(LIMIT_S)
    ends = time.monotonic() + LIMIT_S
    while worker_in_time.state() is State.OPEN and time.monotonic() < ends:
        time.sleep(0.01)
    assert worker_in_time.state() is State.HALF_OPEN


@pytest.mark.parametrize("error", [ValueError("new"), StoreAway("gone")])
@pytest.mark.usefixtures("running")
def test_it_goes_on_after_an_error(worker_in_time: Worker, scene: Scene, error: Exception) -> None:
    scene.error = error
    worker_in_time.open()

    assert scene.was_asked.wait(LIMIT_S)
    scene.was_asked.clear()
    assert scene.was_asked.wait(LIMIT_S)


def test_closed_it_asks_nobody_any_more(
    running: Prober, worker_in_time: Worker, scene: Scene
) -> None:
    running.close()
    running.close()
    running.start()
    worker_in_time.open()

    assert not scene.was_asked.wait(0.1)


def test_closed_before_it_began_it_does_not_begin(worker_in_time: Worker, scene: Scene) -> None:
    scene.interval_ms = 10
    worker_in_time.open()
    prober = scene.prober(worker_in_time)

    prober.close()
    prober.start()

    assert not scene.was_asked.wait(0.1)
