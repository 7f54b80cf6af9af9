"""Two workers over one store, on a clock that is set."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from relay.breaker.breaker import Breakers, Permit
from relay.breaker.transitions import State, standing
from relay.state.lmdb import LmdbStore
from relay.state.memory import MemoryStore
from relay.state.store import Store
from tests.breaker.circuit import CONFIG
from tests.state.given import SetClock

OPEN_S = 30.0
PROVIDER = "main"


class Worker(NamedTuple):
    """The breakers of one process."""

    store: Store
    breakers: Breakers

    def admit(self, provider: str = PROVIDER) -> Permit | None:
        """Leave to ask, by the record as it is now."""
        now, (record,) = self.store.look([self.breakers.name(provider)])
        return self.breakers.admit(provider, record, now, CONFIG)

    def state(self) -> State:
        """The provider's, as all see it."""
        now, (record,) = self.store.look([self.breakers.name(PROVIDER)])
        return standing(record, now, CONFIG).state

    def let_in(self) -> Permit:
        """Leave to ask, where there must be some."""
        permit = self.admit()
        assert permit is not None
        return permit

    def open(self) -> None:
        """Fail as often as it takes."""
        for permit in [self.let_in() for _ in range(CONFIG.failure_threshold)]:
            permit.failure("answered 503")


Workers = Callable[[], Worker]


@pytest.fixture
def clock() -> SetClock:
    """The machine's."""
    return SetClock(1_800_000_000.0)


@pytest.fixture(params=["memory", "lmdb"])
def workers(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Workers]:
    """Each call is another worker over the same records."""
    memory = MemoryStore(clock)
    opened: list[LmdbStore] = []

    def _worker() -> Worker:
        if request.param == "memory":
            return Worker(memory, Breakers(memory))
        store = LmdbStore(tmp_path / "state", clock=clock)
        opened.append(store)
        return Worker(store, Breakers(store))

    yield _worker
    for store in opened:
        store.close()


@pytest.fixture
def worker(workers: Workers) -> Worker:
    """One of them."""
    return workers()
