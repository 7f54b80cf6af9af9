"""Where a conversation went, and what it had in the prompt cache."""

from collections.abc import Mapping

import pytest

from relay.exchange import sessions
from relay.exchange.sessions import Whereabouts
from relay.messages.usage import Usage
from relay.state.memory import MemoryStore
from tests.exchange.driving import LeapingClock

CACHED = Usage(input_tokens=10, cache_write=10, cache_read=60)


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def store(clock: LeapingClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.mark.parametrize(
    "where",
    [Whereabouts("A", b"\1" * 12), Whereabouts("é A", b"\0\0abc"), Whereabouts("A", b"")],
)
def test_where_a_session_went_is_remembered(store: MemoryStore, where: Whereabouts) -> None:
    sessions.went(store, "s", where, 60)

    assert sessions.whereabouts(store, "s") == where
    assert sessions.whereabouts(store, "other") is None


def test_the_last_place_counts_and_is_forgotten_in_its_time(
    store: MemoryStore, clock: LeapingClock
) -> None:
    sessions.went(store, "s", Whereabouts("A", b"1"), 60)
    clock.ahead_s += 50
    sessions.went(store, "s", Whereabouts("B", b"2"), 60)
    clock.ahead_s += 50
    assert sessions.whereabouts(store, "s") == Whereabouts("B", b"2")

    clock.ahead_s += 11

    assert sessions.whereabouts(store, "s") is None


def test_the_share_of_the_cache_is_that_of_the_last_request(store: MemoryStore) -> None:
    assert sessions.last_share(store, "s") == 0
    sessions.used(store, "s", CACHED)
    assert sessions.last_share(store, "s") == 0.75

    sessions.used(store, "s", Usage(input_tokens=80, output_tokens=5))

    assert sessions.last_share(store, "s") == 0
    assert sessions.last_share(store, "other") == 0


def test_an_answer_without_usage_says_nothing_of_the_cache(store: MemoryStore) -> None:
    sessions.used(store, "s", CACHED)

    sessions.used(store, "s", Usage())

    assert sessions.last_share(store, "s") == 0.75


def test_the_share_is_forgotten_with_the_longest_cache_there_is(
    store: MemoryStore, clock: LeapingClock
) -> None:
    sessions.used(store, "s", CACHED)

    clock.ahead_s += 3601

    assert sessions.last_share(store, "s") == 0


@pytest.mark.parametrize("session", ["\udc80", "x" * 100_000, "é", "a/b\0c"])
def test_any_text_may_be_a_session_and_none_is_kept(session: str) -> None:
    kept: dict[str, bytes] = {}

    class Noting(MemoryStore):
        def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
            kept.update(facts)
            super().remember(facts, ttl_s)

    store = Noting()
    sessions.went(store, session, Whereabouts("A", b"1"), 60)
    sessions.used(store, session, CACHED)

    assert sessions.whereabouts(store, session) == Whereabouts("A", b"1")
    assert sessions.last_share(store, session) == 0.75
    assert len(kept) == 2
    assert all(session not in name and len(name) < 50 for name in kept)
