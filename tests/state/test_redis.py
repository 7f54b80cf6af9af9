"""The steps as Redis runs them: the same as in `steps`, whatever happens to clock and scripts."""

import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.secret import Secret
from relay.state.memory import MemoryStore
from relay.state.redis import RedisStore
from relay.state.store import Claim, Full, Store, StoreAway, Taken
from tests.state.given import SetClock
from tests.state.redis_server import RedisServer

BEGIN = 1_700_000_000
NAMES = st.sampled_from(["a", "b", "c"])
LIMITS = st.sampled_from([0, 1, 5, 9])
AMOUNTS = st.integers(0, 7)
CLAIMS = st.lists(st.builds(Claim, NAMES, AMOUNTS, LIMITS), max_size=3, unique_by=lambda c: c.name)
VALUES = st.none() | st.sampled_from([b"", b"1", b"\x00\r\n"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.lists(CLAIMS, max_size=3)),
        st.tuples(st.just("take"), st.lists(CLAIMS, max_size=3)),
        st.tuples(st.just("settle"), st.integers(0, 5), st.lists(AMOUNTS, min_size=3, max_size=3)),
        st.tuples(st.just("hold"), NAMES, st.integers(0, 3), st.sampled_from([0.5, 1.0, 70.0])),
        st.tuples(st.just("let_go"), NAMES, st.integers(0, 5)),
        st.tuples(st.just("count"), NAMES, st.integers(-3, 3)),
        st.tuples(st.just("swap"), NAMES, VALUES, VALUES),
        st.tuples(st.just("recall"), st.lists(NAMES)),
        st.tuples(st.just("remember"), st.dictionaries(NAMES, VALUES.filter(bool)), st.just(99.0)),
        st.tuples(st.just("later"), st.sampled_from([0.25, 1.0, 7.5, 59.0, 60.0, 61.0, 130.0])),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def reused(server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(Secret(server.url))
    yield store
    store.close()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    """A look behind the store. (redis-py's own types say little.)"""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(reused: RedisStore, client: Any) -> RedisStore:
    del client  # it has emptied the server
    return reused


def set_clock(client: Any, seconds: float) -> None:
    """Make the next step happen at this moment of the store."""
    client.set("cc-relay:clock", struct.pack("<qq", round(seconds * 1e6), -(1 << 60)))


def run(store: Store, step: Sequence[Any], taken: list[Taken], held: list[str]) -> object:
    """Run one step; what is settled or let go was taken or held in this run of steps."""
    name, *arguments = step
    if name == "settle":
        number, amounts = arguments
        if number < len(taken):
            store.settle(taken[number], amounts[: len(taken[number].claims)])
        return None
    if name == "let_go":
        arguments[1] = (held[arguments[1] :] or ["7"])[0]
    reply = getattr(store, name)(*arguments)
    if isinstance(reply, Taken):
        taken.append(reply)
    if name == "hold" and reply:
        held.append(reply)
    return reply


@settings(deadline=None, max_examples=200)
@given(steps=STEPS)
def test_every_step_does_what_it_does_in_memory(
    server: RedisServer, reused: RedisStore, steps: list[tuple[Any, ...]]
) -> None:
    clock = SetClock(float(BEGIN))
    memory = MemoryStore(clock)
    here: tuple[list[Taken], list[str]] = [], []
    there: tuple[list[Taken], list[str]] = [], []
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
        for step in steps:
            if step[0] == "later":
                clock.later(step[1])
                continue
            set_clock(client, clock.seconds)
            assert run(reused, step, *there) == run(memory, step, *here), step


def test_the_clock_is_that_of_redis(store: RedisStore) -> None:
    assert store.now() == pytest.approx(time.time(), abs=1)


def test_the_clock_does_not_step_back_and_does_not_stand_still(
    store: RedisStore, client: Any
) -> None:
    ahead = int(time.time()) + 3600  # as if Redis' machine had been an hour ahead until now
    client.set("cc-relay:clock", struct.pack("<qq", ahead * 1_000_000, 0))
    first = store.now()
    time.sleep(0.02)
    second = store.now()
    assert first >= ahead
    assert 0.02 <= second - first < 1


def test_keys_run_out_by_themselves(store: RedisStore, client: Any) -> None:
    store.take([[Claim("w", 1)]])
    store.hold("p", 2, 20.0)
    store.hold("p", 2, 10.0)
    store.count("c")
    store.swap("s", None, b"1")
    store.remember({"f": b"1"}, 5.0)
    left_s = {name.decode(): client.pttl(name) / 1000 for name in client.keys("*")}
    week = 7 * 86400
    assert left_s == {
        "cc-relay:w:w": pytest.approx(61, abs=1),
        "cc-relay:p:p": pytest.approx(20, abs=1),
        "cc-relay:t:p": pytest.approx(week, abs=1),
        "cc-relay:c:c": pytest.approx(week, abs=1),
        "cc-relay:s:s": pytest.approx(week, abs=1),
        "cc-relay:f:f": pytest.approx(5, abs=1),
        "cc-relay:clock": pytest.approx(week, abs=1),
    }


def test_two_prefixes_know_nothing_of_each_other(store: RedisStore, server: RedisServer) -> None:
    other = RedisStore(Secret(server.url), prefix="other:")
    store.count("n")
    assert other.count("n") == 0
    assert store.count("n") == 1
    other.close()


def test_scripts_that_redis_has_forgotten_are_sent_again(store: RedisStore, client: Any) -> None:
    assert store.count("n") == 0
    client.script_flush()
    assert store.count("n") == 1
    assert store.count("n") == 2
    assert client.info("commandstats")["cmdstat_eval"]["calls"] >= 1
    before = client.info("commandstats")["cmdstat_eval"]["calls"]
    assert store.count("n") == 3
    assert client.info("commandstats")["cmdstat_eval"]["calls"] == before  # by its hash again


def test_a_step_is_one_command(store: RedisStore, client: Any) -> None:
    claims = [[Claim("a", 1, 1), Claim("b", 1, 1)], [Claim("a", 1, 1), Claim("c", 2, 5)]]
    store.take(claims)
    store.take(claims)
    client.config_resetstat()
    assert isinstance(store.take([*claims, [Claim("d", 1, 1)]]), Taken)
    assert isinstance(store.take(claims), Full)
    stats = client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 2
    assert "cmdstat_eval" not in stats


def test_large_values_come_back_whole(store: RedisStore) -> None:
    facts = {f"n{number}": bytes([number]) * 100_000 for number in range(10)}
    store.remember(facts, 30.0)
    assert store.recall(list(facts)) == list(facts.values())


def test_a_counter_has_64_bits(store: RedisStore) -> None:
    store.count("n", 2**62 + 1)
    assert store.count("n", -1) == 2**62 + 1
    assert store.count("n") == 2**62


def test_a_record_that_is_damaged_begins_anew(store: RedisStore, client: Any) -> None:
    client.set("cc-relay:w:w", b"what is this")
    client.set("cc-relay:clock", b"?")
    assert isinstance(store.take([[Claim("w", 1, 1)]]), Taken)
    assert isinstance(store.take([[Claim("w", 1, 1)]]), Full)


def test_an_error_of_redis_is_a_store_away_and_the_next_step_works(
    store: RedisStore, client: Any
) -> None:
    client.lpush("cc-relay:c:n", "a list")
    with pytest.raises(StoreAway, match=r"^Redis answered WRONGTYPE$"):
        store.count("n")
    assert store.count("other") == 0


def test_a_redis_that_is_full_says_so(store: RedisStore, client: Any) -> None:
    client.config_set("maxmemory", 1)
    with pytest.raises(StoreAway, match=r"^Redis answered OOM$"):
        store.count("n")
    client.config_set("maxmemory", 0)
    assert store.count("n") == 0
