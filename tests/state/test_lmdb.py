"""What only a store on a disk must do; what every store does stands in `test_conformance`."""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.state.lmdb import LmdbStore
from relay.state.store import Store
from tests.state.given import LONG_S, SetClock

DAY_S = 86400.0


@pytest.fixture
def clock() -> SetClock:
    return SetClock(time.time())


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[LmdbStore]:
    found = LmdbStore(tmp_path / "state", clock=clock)
    yield found
    found.close()


def test_what_was_kept_is_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    store.count("c", 5)
    store.remember({"f": b"1"}, LONG_S)
    store.close()
    store.close()

    again = LmdbStore(tmp_path)

    assert (again.count("c"), again.recall(["f"])) == (5, [b"1"])
    again.close()


def test_nobody_else_reads_the_files(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path / "a" / "state")
    store.count("c")
    store.close()

    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "a").rglob("*")}

    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert len(modes) == 8


def test_names_of_any_length_and_letters_are_told_apart(store: Store) -> None:
    long = "n" * 5000
    names = ["", "\0", "é\udcff", long, long + "a", long + "b", "n" * 498, "n" * 499, "n" * 510]

    store.remember({name: str(number).encode() for number, name in enumerate(names)}, LONG_S)

    assert store.recall(names) == [str(number).encode() for number in range(len(names))]


def test_records_of_any_name_are_looked_at_and_none_that_has_run_out(
    store: Store, clock: SetClock
) -> None:
    long = "n" * 5000
    names = ["", "\0", "é\udcff", long, long + "a", "n" * 498, "n" * 499]
    for number, name in enumerate(names):
        store.swap(name, None, str(number).encode())
    assert store.look([*names, "missing", ""]).records == [b"0", *_numbers(1, 7), None, b"0"]

    clock.later(7 * DAY_S - 1)
    store.swap(long, b"3", b"new")
    clock.later(1.0)

    found = store.look(names)
    assert found.records == [None, None, None, b"new", None, None, None]
    assert found.now == store.now()


def _numbers(first: int, end: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, end)]


def test_a_look_sees_what_stands_in_the_folder_now(tmp_path: Path, clock: SetClock) -> None:
    folder = tmp_path / "state"
    store, beside = LmdbStore(folder, clock=clock), LmdbStore(folder, clock=clock)
    assert store.look(["r"]).records == [None]
    beside.swap("r", None, b"1")
    assert store.look(["r"]).records == [b"1"]
    beside.close()
    store.close()
    assert store.look(["r"]).records == [b"1"]

    folder.rename(tmp_path / "elsewhere")
    clock.later(3.0)

    assert store.look(["r"]).records == [None]
    store.close()


def test_what_has_run_out_is_dropped_while_others_are_added(
    tmp_path: Path, clock: SetClock
) -> None:
    store = LmdbStore(tmp_path, clock=clock)
    store.remember({"kept": b"1"}, DAY_S)
    for round_ in range(20):
        store.remember({f"{round_}.{number}": bytes(100) for number in range(50)}, 1.0)
        store.count(f"c{round_}")
        clock.later(2.0)
    for number in range(20):
        store.remember({f"new{number}": b"1"}, DAY_S)

    assert _entries(store) < 2 * (21 + 20 + 50) + 4  # each record with its place in the index
    assert store.recall(["kept"]) == [b"1"]
    store.close()


def test_a_record_that_is_put_again_lasts_until_its_new_end(store: Store, clock: SetClock) -> None:
    for number in range(50):
        store.remember({"f": b"1", f"other{number}": b""}, 10.0)
        clock.later(9.0)

    assert store.recall(["f", "other49", "other48"]) == [b"1", b"", None]


def test_places_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    for _ in range(50):
        store.let_go("p", store.hold("p", 1, DAY_S) or "")

    assert _entries(store) == 4  # the clock, the format, the last token and its place in the index
    store.close()


def test_reading_writes_nothing(tmp_path: Path, clock: SetClock) -> None:
    store = LmdbStore(tmp_path, clock=clock)
    store.count("c")
    before = _last_write(store)

    for _ in range(10):
        clock.later(1.0)
        store.recall(["f"])
        store.look(["s", "t"])
        store.loads(["l"])
        store.now()

    assert _last_write(store) == before
    store.close()


def test_time_never_steps_back_for_a_process_that_comes_later(
    tmp_path: Path, clock: SetClock
) -> None:
    first = LmdbStore(tmp_path, clock=clock)
    first.count("c")
    before = first.now()
    first.close()
    clock.later(-1000.0)

    second = LmdbStore(tmp_path, clock=clock)

    assert second.now() == before
    second.close()


@pytest.mark.parametrize("clocks", [b"", b"x" * 8, b"x" * 15, b"x" * 17])
def test_a_clock_of_a_wrong_length_begins_anew(
    store: LmdbStore, clock: SetClock, clocks: bytes
) -> None:
    store.count("c")
    _write(store, b"\2clock", clocks)

    assert store.now() == clock.wall()
    assert store.count("c") == 1
    assert store.look([]).now == clock.wall()


def test_a_child_uses_an_environment_of_its_own(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    store.count("c")
    store.swap("r", None, b"1")
    assert store.look(["r"]).records == [b"1"]

    child = os.fork()
    if not child:
        looked = store.look(["r"]).records == [b"1"]
        counted = [store.count("c") for _ in range(100)][-1] == 100
        os._exit(0 if looked and counted else 1)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert store.count("c") == 101
    assert store.recall(["f"]) == [None]
    assert store.look(["r"]).records == [b"1"]
    store.close()


def test_a_child_that_ends_leaves_its_parent_undisturbed(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    store.count("c")
    child = os.fork()
    if not child:
        own = LmdbStore(tmp_path)  # beside the inherited one
        own.count("c")
        store.count("c")
        store.close()
        own.close()
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert store.count("c") == 3
    assert _is_in_use(tmp_path)
    store.close()
    assert not _is_in_use(tmp_path)


def test_two_stores_of_one_process_are_one(tmp_path: Path) -> None:
    first, second = LmdbStore(tmp_path), LmdbStore(tmp_path)

    assert [first.count("c"), second.count("c")] == [0, 1]
    first.close()
    assert second.count("c") == 2
    assert first.count("c") == 3
    second.close()
    assert _is_in_use(tmp_path)
    first.close()
    assert not _is_in_use(tmp_path)


def _is_in_use(folder: Path) -> bool:
    with (folder / "in-use").open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _entries(store: LmdbStore) -> int:
    with store.begin(write=False):
        assert store._opened  # noqa: SLF001  the only way to look at what no step shows
        return int(store._opened.env.stat()["entries"])  # noqa: SLF001  the same


def _write(store: LmdbStore, key: bytes, value: bytes) -> None:
    assert store._opened  # noqa: SLF001  as above
    with store._opened.env.begin(write=True) as txn:  # noqa: SLF001  as above
        txn.put(key, value)


def _last_write(store: LmdbStore) -> int:
    assert store._opened  # noqa: SLF001  as above
    return int(store._opened.env.info()["last_txnid"])  # noqa: SLF001  as above
