"""A store that is full makes room, and the step succeeds."""

from pathlib import Path

import pytest

from relay.state.lmdb import LmdbStore
from relay.state.store import Claim, Full
from tests.state.given import LONG_S, SetClock

SMALL = 1 << 20


def test_a_full_store_drops_what_ends_soonest_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = LmdbStore(tmp_path, SMALL)
    store.take([[Claim("w", 1, 1)]])
    store.count("c")
    for number in range(3000):
        store.remember({f"late{number}": bytes(1000)}, LONG_S + 4000 - number)

    assert isinstance(store.take([[Claim("w", 1, 1)]]), Full)  # limits outlast facts
    assert store.count("c") == 1
    kept = [number for number in range(3000) if store.recall([f"late{number}"]) != [None]]
    assert len(kept) > 100
    assert kept[:100] == list(range(100))  # those that end last
    assert [record.message for record in caplog.records] == [
        "store is full: dropping what ends soonest"
    ]
    store.close()


def test_what_has_run_out_is_dropped_before_anything_else(tmp_path: Path) -> None:
    clock = SetClock(1000.0)
    store = LmdbStore(tmp_path, SMALL, clock)
    for number in range(80):
        store.remember({f"out{number}": bytes(3000)}, 1.0)
        store.remember({f"in{number}": bytes(3000)}, LONG_S)
    clock.later(2.0)

    for number in range(80):
        store.remember({f"new{number}": bytes(3000)}, LONG_S)

    assert None not in store.recall([f"in{number}" for number in range(80)])
    assert None not in store.recall([f"new{number}" for number in range(80)])
    store.close()


@pytest.mark.parametrize("size", [1, 40, 300, 5000, 100_000])
def test_records_of_any_size_find_room(tmp_path: Path, size: int) -> None:
    store = LmdbStore(tmp_path, SMALL)
    for number in range(500):
        store.swap(f"s{number}", None, bytes(300))
    for number in range(20_000 // size + 100):
        store.remember({f"f{number}": bytes(size)}, LONG_S)
        assert store.recall([f"f{number}"]) == [bytes(size)]
    for number in range(2000):
        store.take([[Claim(f"w{number}", 1, 1)]])
        assert isinstance(store.take([[Claim(f"w{number}", 1, 1)]]), Full)
    store.close()
