"""Every store does what the protocol says."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from relay.state.lmdb import LmdbStore
from relay.state.memory import MemoryStore
from relay.state.store import Store
from tests.state import crowd, redis_server
from tests.state.conformance import Conformance
from tests.state.crowd import Gains
from tests.state.given import SetClock, open_lmdb, open_redis
from tests.state.minute_steps import MinuteSteps


class TestMemory(MinuteSteps, Conformance):
    @pytest.fixture
    def store(self, clock: SetClock) -> Store:
        return MemoryStore(clock)


class TestLmdb(MinuteSteps, Conformance):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
        store = LmdbStore(tmp_path / "state", clock=clock)
        yield store
        store.close()


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server.running() as url:
        yield url


if not redis_server.IS_LEFT_OUT:  # the header of the run says so

    class TestRedis(Conformance):
        @pytest.fixture
        def store(self, redis_url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
            store = open_redis(redis_url, f"{request.node.name}:")
            yield store
            store.close()


CROWDS = ["threads on memory", "threads on LMDB", "processes on LMDB"]
if not redis_server.IS_LEFT_OUT:
    CROWDS += ["threads on Redis", "processes on Redis"]


@pytest.fixture(scope="module", params=CROWDS)
def gains(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Gains]:
    """What each of a crowd got."""
    kind, store = request.param.split(" on ")
    if store == "memory":
        return crowd.of_threads(MemoryStore())
    opening: Callable[[], Store] = (
        partial(open_lmdb, tmp_path_factory.mktemp("lmdb"))
        if store == "LMDB"
        else partial(open_redis, request.getfixturevalue("redis_url"), request.param)
    )
    return crowd.of_processes(opening) if kind == "processes" else crowd.of_threads(opening())


def test_all_together_take_the_limit_and_no_more(gains: list[Gains]) -> None:
    assert sum(each.taken for each in gains) == crowd.ROOM


def test_all_together_hold_as_many_places_as_there_are(gains: list[Gains]) -> None:
    tokens = [token for each in gains for token in each.places]

    assert len(tokens) == len(set(tokens)) == crowd.PLACES


def test_all_together_have_no_more_at_once_than_the_limit(gains: list[Gains]) -> None:
    during = [held for each in gains for held in each.together[::2]]
    after = [held for each in gains for held in each.together[1::2]]

    assert 1 <= min(during) <= max(during) <= crowd.AT_ONCE
    assert min(after) == 0


def test_no_count_is_lost_or_told_twice(gains: list[Gains]) -> None:
    told = sorted(number for each in gains for number in each.counted)

    assert told == list(range(crowd.SIZE * crowd.COUNTS))


def test_one_of_those_who_swap_a_record_wins(gains: list[Gains]) -> None:
    became = sorted(number for each in gains for number in each.swapped)

    assert became == list(range(1, crowd.SIZE * crowd.SWAPS + 1))
