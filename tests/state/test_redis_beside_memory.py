"""The steps as Redis runs them, step by step beside memory: the same, to the moment."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.secret import Secret
from relay.state.holder import Holder
from relay.state.memory import MemoryStore
from relay.state.redis import RedisStore
from relay.state.store import Bound, Claim, Taken
from tests.state.given import SetClock
from tests.state.redis_server import RedisServer, set_clock

BEGIN = 1_700_000_000
HOLDERS = [Holder(), Holder()]
NAMES = st.sampled_from(["a", "b"])
AMOUNTS = st.sampled_from([1, 2, 3, 7])
LASTING = st.sampled_from(["l", "m"])
LIMITS = st.sampled_from([0, 4, 5, 9])
CHOICES = st.lists(
    st.lists(
        st.builds(Claim, NAMES, AMOUNTS, LIMITS, st.just(value=False))
        | st.builds(Claim, LASTING, st.integers(0, 3), LIMITS, st.just(value=True)),
        max_size=3,
        unique_by=lambda claim: claim.name,
    ),
    max_size=3,
)
VALUES = st.none() | st.sampled_from([b"", b"1", b"\x00\r\n"])
FACTS = st.dictionaries(NAMES, st.binary(max_size=4))
TIMES_S = st.sampled_from([0.5, 1.0, 2.0, 30.0, 44.5, 45.0, 59.0, 60.0, 61.0, 130.0])
LEFT = st.sampled_from([-3, 0, 1, 3, 7, 30, 10**30])
ENDS_S = st.sampled_from([-1.0, 0.0, 0.5, 20.0, 60.0, 300.0, 1e300])
WINDOW_STEPS = [
    st.tuples(st.just("take"), CHOICES, st.booleans()),
    st.tuples(st.just("settle"), st.integers(1, 3), st.permutations([0, 1, 7])),
    st.tuples(st.just("bound"), NAMES, LEFT, ENDS_S),
    st.tuples(st.just("be"), st.integers(0, 1)),
    st.tuples(
        st.just("renew"),
        st.dictionaries(LASTING, st.integers(-1, 5)),
        st.integers(0, 3),
        TIMES_S,
    ),
    st.tuples(st.just("loads"), st.lists(LASTING, max_size=3)),
]
OTHER_STEPS = [
    st.tuples(st.just("hold"), NAMES, st.integers(0, 2), TIMES_S),
    st.tuples(st.just("let_go"), st.integers(1, 3)),
    st.tuples(st.just("renew"), st.just({}), st.integers(0, 3), TIMES_S),
    st.tuples(st.just("count"), NAMES, st.integers(-3, 3), st.sampled_from(["", "x", "\ud800"])),
    st.tuples(st.just("swap"), NAMES, VALUES, VALUES),
    st.tuples(st.just("look"), st.lists(NAMES)),
    st.tuples(st.just("recall"), st.lists(NAMES)),
    st.tuples(st.just("remember"), FACTS, st.just(900.0)),
]
LATER = st.tuples(st.just("later"), TIMES_S)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def reused(server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(Secret(server.url))
    yield store
    store.close()


class Run:
    """Runs steps on one store. What is settled or let go is the last but so many it got there."""

    def __init__(self, store: MemoryStore | RedisStore, clock: SetClock) -> None:
        self._store = store
        self._clock = clock
        self._taken: list[Taken] = []
        self._held: list[tuple[str, str]] = []
        self._be(0)

    def __call__(self, name: str, *arguments: Any) -> object:
        own = getattr(self, f"_{name}", None)
        return own(*arguments) if own else getattr(self._store, name)(*arguments)

    def _be(self, number: int) -> None:
        self._store.holder = HOLDERS[number]

    def _take(self, choices: list[list[Claim]], by_room: bool) -> object:  # noqa: FBT001  drawn
        found = self._store.take(choices, by_room=by_room)
        if isinstance(found, Taken):
            self._taken.append(found)
        return found

    def _settle(self, number: int, amounts: list[int]) -> None:
        for taken in self._taken[-number:][:1]:
            kept = zip(taken.claims, amounts, strict=False)
            self._store.settle(taken, [0 if claim.lasting else amount for claim, amount in kept])

    def _bound(self, name: str, left: int, ends_s: float) -> None:
        self._store.bound({name: Bound(left, self._clock.seconds + ends_s)})

    def _hold(self, name: str, limit: int, ttl_s: float) -> bool:
        token = self._store.hold(name, limit, ttl_s)
        self._held += [(name, token)] if token else []
        return token is not None

    def _let_go(self, number: int) -> None:
        for place in self._held[-number:][:1]:
            self._store.let_go(*place)

    def _renew(self, sums: dict[str, int], number: int, ttl_s: float) -> None:
        self._store.renew(sums, self._held[len(self._held) - number :], ttl_s)


@settings(deadline=None, max_examples=100)
@given(steps=st.lists(st.one_of(*WINDOW_STEPS, LATER), min_size=8, max_size=40))
def test_windows_are_what_they_are_in_memory(
    server: RedisServer, reused: RedisStore, steps: list[tuple[Any, ...]]
) -> None:
    compare(server, reused, steps)


@settings(deadline=None, max_examples=100)
@given(steps=st.lists(st.one_of(*OTHER_STEPS, LATER), min_size=8, max_size=40))
def test_places_counters_and_records_are_what_they_are_in_memory(
    server: RedisServer, reused: RedisStore, steps: list[tuple[Any, ...]]
) -> None:
    compare(server, reused, steps)


def compare(server: RedisServer, reused: RedisStore, steps: list[tuple[Any, ...]]) -> None:
    """Run the same steps at the same moments in both."""
    clock = SetClock(float(BEGIN))
    here, there = Run(MemoryStore(clock), clock), Run(reused, clock)
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
        for step in steps:
            if step[0] == "later":
                clock.later(step[1])
                continue
            set_clock(client, clock.seconds)
            assert there(*step) == here(*step), step
