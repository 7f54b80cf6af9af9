"""What is known of keys, as a record of the store."""

import math

import pytest

from relay.keys import known
from relay.keys.known import Known, digest_of
from relay.limits.kinds import Limits
from relay.secret import Secret
from relay.state.memory import MemoryStore
from tests.keys.given import MakeKeys

NOW = 1_795_575_600.0
DIGEST = digest_of("p", Secret("k0"))
OTHER = digest_of("p", Secret("k1"))
EVERYTHING = Known(NOW + 10, NOW + 20, Limits(1, 2, 3, 4))


def test_what_is_written_is_read_again() -> None:
    everything = {DIGEST: EVERYTHING, OTHER: Known(rests_until=NOW + 0.5)}

    assert known.read(known.written(everything, NOW)) == everything


def test_what_says_nothing_any_more_is_not_kept() -> None:
    over = Known(rests_until=NOW, aside_until=NOW - 1)

    assert known.written({DIGEST: over}, NOW) is None
    assert known.read(known.written({DIGEST: over, OTHER: EVERYTHING}, NOW)) == {OTHER: EVERYTHING}


@pytest.mark.parametrize("record", [None, b"", b"x", b"x" * 59, b"x" * 61, b"{}"])
def test_a_record_of_another_version_says_nothing(record: bytes | None) -> None:
    assert known.read(record) == {}


@pytest.mark.parametrize("record", [b"another version's", b"x" * 61])
def test_a_record_of_another_version_is_written_over(
    keys_of: MakeKeys, store: MemoryStore, record: bytes
) -> None:
    keys = keys_of("k0", "k1")
    store.swap(keys.pool.record_name, None, record)
    assert keys.available == 2

    keys.pool.rest(0, 60)

    assert keys.use() == 1
    assert keys.wait_s(1) == pytest.approx(60)


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"x"])
def test_a_record_that_only_looks_right_harms_nobody(
    keys_of: MakeKeys, store: MemoryStore, fill: bytes
) -> None:
    keys = keys_of("k0", "k1")
    store.swap(keys.pool.record_name, None, fill * 60)

    keys.pool.set_aside(0, 60)

    assert keys.use() == 1


def test_of_very_many_keys_those_that_rest_longest_are_kept() -> None:
    many = {
        digest_of("p", Secret(f"k{number}")): Known(rests_until=NOW + 1 + number)
        for number in range(500)
    }
    aside = {DIGEST: Known(aside_until=NOW + 9999)}

    kept = known.read(known.written(many | aside, NOW))

    assert len(kept) == 200
    assert DIGEST in kept
    assert min(each.rests_until for each in kept.values() if each.rests_until) == NOW + 302


def test_the_record_is_gone_when_there_is_nothing_to_know(
    keys_of: MakeKeys, store: MemoryStore
) -> None:
    keys = keys_of("k0")
    keys.pool.set_aside(0, 60)

    keys.pool.restore(0, keys.standing)

    assert store.look([keys.pool.record_name]).records == [None]
    assert keys.wait_s(0) == math.inf


def test_neither_names_nor_records_hold_a_key(keys_of: MakeKeys, store: MemoryStore) -> None:
    keys = keys_of("very-secret-key", "k1")
    keys.pool.rest(0, 60)
    member = keys.claim(0).member

    (record,) = store.look([keys.pool.record_name]).records
    names = (keys.pool.record_name, member.in_flight, *member.windows)

    assert record
    assert b"very-secret-key" not in record
    assert not any("secret" in name for name in names)
    assert len(set(names)) == 6


def test_a_digest_depends_on_provider_and_text() -> None:
    digests = {
        digest_of(name, Secret(text)) for name in ("a", "b") for text in ("k0", "k1", "\udc80")
    }

    assert len(digests) == 6
    assert digest_of("a", Secret("k0")) in digests
