"""The steps as Redis runs them: what happens to clock, keys and scripts."""

import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from relay.secret import Secret
from relay.state.holder import THIS_PROCESS, Holder
from relay.state.redis import RedisStore
from relay.state.store import HELD_S, Bound, Claim, Full, StoreAway, Taken
from tests.state.redis_server import RedisServer, set_clock

BEGIN = 1_700_000_000


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


@pytest.mark.parametrize(("age_s", "counts"), [(60, True), (61, False)])
def test_what_is_settled_counts_for_as_long_as_what_was_taken(
    store: RedisStore, client: Any, age_s: int, *, counts: bool
) -> None:
    set_clock(client, BEGIN)
    taken = store.take([[Claim("w", 1, 9)]])
    assert isinstance(taken, Taken)
    set_clock(client, BEGIN + age_s)
    store.settle(taken, [9])
    assert isinstance(store.take([[Claim("w", 1, 9)]]), Full if counts else Taken)


def test_a_lasting_claim_lasts_for_its_time_and_no_longer(store: RedisStore, client: Any) -> None:
    claims = [[Claim("l", 1, 1, lasting=True)]]
    set_clock(client, BEGIN)
    store.take(claims)
    set_clock(client, BEGIN + HELD_S - 0.25)
    assert isinstance(store.take(claims), Full)
    set_clock(client, BEGIN + HELD_S)
    assert isinstance(store.take(claims), Taken)


def test_marks_that_have_run_out_leave_nothing_behind(store: RedisStore, client: Any) -> None:
    for number in range(50):  # as many processes that were killed
        store.holder = Holder()
        set_clock(client, BEGIN + number * HELD_S)
        store.take([[Claim("l", 1, lasting=True)]])
    assert set(client.hkeys("cc-relay:l:l")) == {b"at", b"%d" % store.holder.number}
    store.holder = THIS_PROCESS


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
    store.take([[Claim("w", 1), Claim("l", 0, lasting=True), Claim("m", 1, lasting=True)]])
    store.bound({"b": Bound(1, time.time() + 300)})
    store.hold("p", 2, 20.0)
    store.hold("p", 2, 10.0)
    store.count("c")
    store.count("d", 1, "within")
    store.swap("s", None, b"1")
    store.remember({"f": b"1"}, 5.0)
    left_s = {name.decode(): client.pttl(name) / 1000 for name in client.keys("*")}
    week = 7 * 86400
    assert left_s == {
        "cc-relay:w:w": pytest.approx(61, abs=1),
        "cc-relay:w:b": pytest.approx(300, abs=1),
        "cc-relay:l:l": pytest.approx(week, abs=1),
        "cc-relay:l:m": pytest.approx(week, abs=1),
        "cc-relay:p:p": pytest.approx(20, abs=1),
        "cc-relay:t:p": pytest.approx(week, abs=1),
        "cc-relay:c:c": pytest.approx(week, abs=1),
        "cc-relay:c:d": pytest.approx(week, abs=1),
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


def test_more_names_than_lua_has_places_on_its_stack_are_one_step(store: RedisStore) -> None:
    names = [f"n{number}" for number in range(9000)]
    facts = {name: name.encode() for name in names[::3]}
    store.remember(facts, 60.0)
    store.swap(names[-1], None, b"last")
    store.take([[Claim(names[-1], 2, lasting=True)]])

    assert store.recall(names) == [facts.get(name) for name in names]
    assert store.look(names).records == [None] * 8999 + [b"last"]
    assert [load.held for load in store.loads(names)] == [0] * 8999 + [2]
