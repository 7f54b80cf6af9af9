"""What may go wrong with files on a disk: the store goes on, or says at once that it is away."""

import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import lmdb
import pytest

from relay.state.lmdb import LmdbStore
from relay.state.store import Claim, StoreAway, Taken
from tests.state.forked import children
from tests.state.given import LONG_S, SetClock


def filled(folder: Path, count: int = 1) -> Path:
    """A store that was used and closed; its data file."""
    store = LmdbStore(folder)
    store.remember({f"f{number}": bytes(300) for number in range(count)}, LONG_S)
    store.close()
    return folder / "shared" / "data.mdb"


def asides(folder: Path) -> int:
    return len(list(folder.glob("shared.aside-*")))


NOISE = random.Random(1)  # noqa: S311  nothing secret


def garbage(data: Path) -> None:
    data.write_bytes(NOISE.randbytes(100_000))


def short(data: Path) -> None:
    os.truncate(data, 3 * 4096 + 100)


def tiny(data: Path) -> None:
    data.write_bytes(b"x")


def scribbled(data: Path) -> None:
    with data.open("r+b") as file:
        for page in range(2, data.stat().st_size // 4096):
            file.seek(page * 4096 + 8)
            file.write(NOISE.randbytes(600))


def foreign(data: Path) -> None:
    data.unlink()
    with lmdb.open(str(data.parent)) as env, env.begin(write=True) as txn:
        txn.put(b"something", b"else")


def no_file(data: Path) -> None:
    data.unlink()
    data.mkdir()


DAMAGES = [garbage, short, tiny, scribbled, foreign, no_file]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_set_aside_and_said_once(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    damage(filled(tmp_path, 200))

    store = LmdbStore(tmp_path)

    assert [store.count("c") for _ in range(3)] == [0, 1, 2]
    assert asides(tmp_path) == 1
    assert [record.message for record in caplog.records] == ["store set aside, starting empty"]
    store.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_who_meet_the_damage_at_once_go_on_with_the_same_store(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(filled(tmp_path, 200))

    def work() -> None:
        store = LmdbStore(tmp_path)
        for _ in range(20):
            store.count("c")

    with children(work, work, work):
        pass

    assert LmdbStore(tmp_path).count("c") == 60
    assert asides(tmp_path) == 1


def test_damage_while_it_is_open_is_met_by_all_without_an_error(tmp_path: Path) -> None:
    data = filled(tmp_path, 200)
    start = time.monotonic() + 0.3

    def work() -> None:
        store = LmdbStore(tmp_path)
        store.recall(["f1"])
        time.sleep(max(start - time.monotonic(), 0))
        for _ in range(20):
            store.count("c")
        store.recall([f"f{number}" for number in range(200)])
        time.sleep(2.2)  # whoever did not meet it looks now
        for _ in range(20):
            store.count("d")

    with children(work, work):
        time.sleep(0.15)
        scribbled(data)

    assert LmdbStore(tmp_path).count("d") == 40
    assert asides(tmp_path) == 1


STEPS: Mapping[str, Callable[[LmdbStore], object]] = {
    "look": lambda store: store.look([f"r{number}" for number in range(200)]),
    "take": lambda store: store.take([[Claim(f"w{number}", 1) for number in range(200)]]),
    "settle": lambda store: store.settle(
        Taken(0, tuple(Claim(f"w{number}", 1) for number in range(200)), int(store.now())),
        [9] * 200,
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_that_is_made_for_each_request_mends_what_it_meets(
    tmp_path: Path, step: str
) -> None:
    data = filled(tmp_path, 200)
    store = LmdbStore(tmp_path)
    for number in range(200):
        store.swap(f"r{number}", None, bytes(300))
    STEPS["take"](store)
    scribbled(data)

    STEPS[step](store)

    assert asides(tmp_path) == 1
    assert store.count("c") == 0
    store.close()


def test_the_last_few_that_were_set_aside_are_kept(tmp_path: Path) -> None:
    for _ in range(6):
        garbage(filled(tmp_path))

    assert LmdbStore(tmp_path).count("c") == 0
    assert asides(tmp_path) == 3


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    clock = SetClock(1000.0)
    store = LmdbStore(tmp_path / "state", clock=clock)
    store.count("c")
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    clock.later(3.0)

    assert store.count("c") == 0
    assert LmdbStore(tmp_path / "state", clock=clock).count("c") == 1


def test_a_folder_that_cannot_be_written_is_away_at_once_and_back_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock(1000.0)
    folder = tmp_path / "state"
    folder.write_text("in the way")
    store = LmdbStore(folder, clock=clock)
    for _ in range(100):
        with pytest.raises(StoreAway):
            store.count("c")
    folder.unlink()
    for _ in range(2):
        with pytest.raises(StoreAway):
            store.count("c")
        clock.later(2.9)

    assert store.count("c") == 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    store.close()


def test_a_read_only_folder_is_away(tmp_path: Path) -> None:
    """Root may write anywhere, so it becomes nobody, whose way in is the working directory."""
    tmp_path.chmod(0o555)

    def work() -> None:
        os.chdir(tmp_path)
        if not os.getuid():
            os.setuid(65534)
        store = LmdbStore(Path("state"))
        with pytest.raises(StoreAway, match="denied"):
            store.count("c")
        with pytest.raises(StoreAway, match="denied"):
            store.recall(["f"])

    with children(work):
        pass
    tmp_path.chmod(0o755)
    assert not list(tmp_path.iterdir())
