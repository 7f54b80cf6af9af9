"""Workers that are killed or stopped leave the store to the others."""

import fcntl
import os
import random
import signal
import time
from pathlib import Path

import pytest
from lmdb.verify import verify

from relay.state.lmdb import LmdbStore
from relay.state.store import HELD_S, Claim, Full, StoreAway, Taken
from tests.state.forked import children
from tests.state.given import SetClock

KILLS = 20


def test_several_processes_never_take_more_than_the_limit(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    def work() -> None:
        store = LmdbStore(folder)
        claims = [Claim("limited", 1, 100), Claim("counted", 1)]
        while not isinstance(store.take([claims]), Full):
            pass

    with children(work, work, work, work):
        pass
    store = LmdbStore(folder)

    assert isinstance(store.take([[Claim("counted", 0, 100)]]), Taken)
    assert isinstance(store.take([[Claim("counted", 0, 99)]]), Full)
    store.close()


def test_killing_at_any_moment_disturbs_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = LmdbStore(folder)
    store.count("c")
    dice = random.Random(5)  # noqa: S311  nothing secret

    def work() -> None:
        mine = LmdbStore(folder)
        while True:
            mine.take([[Claim("w", 1), Claim("v", 1)]])
            mine.remember({str(dice.random()): bytes(3000)}, 0.05)
            mine.recall(["a", "b"])

    for _ in range(KILLS):
        with children(work, work) as pids:
            time.sleep(0.005 + dice.random() / 50)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                before = time.monotonic()
                store.count("c")
                assert time.monotonic() - before < 1
    assert store.count("c") == 2 * KILLS + 1
    store.close()

    assert verify(str(folder / "shared")) == []  # type: ignore[no-untyped-call]  # untyped as yet
    assert LmdbStore(folder).count("c") == 2 * KILLS + 2
    assert not list(folder.glob("shared.aside-*"))


def test_one_who_stops_while_writing_holds_nobody_up(tmp_path: Path) -> None:
    clock = SetClock(1000.0)
    store = LmdbStore(tmp_path, clock=clock)
    store.count("c")

    def stop() -> None:
        with LmdbStore(tmp_path).begin(write=True):
            os.kill(os.getpid(), signal.SIGSTOP)

    with children(stop) as pids:
        os.waitpid(pids[0], os.WUNTRACED)
        before = time.monotonic()
        for _ in range(100):
            with pytest.raises(StoreAway):
                store.count("c")
        assert time.monotonic() - before < 0.2
        os.kill(pids[0], signal.SIGKILL)

    clock.later(0.3)
    assert store.count("c") == 1
    store.close()


def test_one_who_stays_stopped_while_writing_is_waited_for_less_and_less_often(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock(1000.0)
    store = LmdbStore(tmp_path, clock=clock)
    store.count("c")
    tried_at = []
    with (tmp_path / "writing").open("w") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        for _ in range(80):
            with pytest.raises(StoreAway):
                store.count("c")
            if caplog.records:  # it is said each time
                tried_at.append(clock.seconds - 1000.0)
            caplog.clear()
            clock.later(0.125)

    assert tried_at == [0.0, 0.25, 0.75, 1.75, 3.75, 6.75, 9.75]
    clock.later(5.0)
    store.count("c")
    with (tmp_path / "writing").open("w") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        with pytest.raises(StoreAway):
            store.count("c")
    clock.later(0.25)
    assert store.count("c") == 2
    store.close()


def test_what_a_killed_process_held_runs_out_and_the_rest_stays(tmp_path: Path) -> None:
    clock = SetClock(time.time() + 5)
    store = LmdbStore(tmp_path, clock=clock)
    claims = [[Claim("l", 1, 3, lasting=True)]]
    mine = store.take(claims)
    assert isinstance(mine, Taken)

    def take_and_stop() -> None:
        theirs = LmdbStore(tmp_path, clock=clock)
        assert isinstance(theirs.take(claims), Taken)
        theirs.settle(mine, [0])  # which frees one of its own, and none of another's
        for _ in range(2):
            assert isinstance(theirs.take(claims), Taken)
        os.kill(os.getpid(), signal.SIGSTOP)

    with children(take_and_stop) as pids:
        os.waitpid(pids[0], os.WUNTRACED)
        os.kill(pids[0], signal.SIGKILL)

    for _ in range(4):
        clock.later(HELD_S / 4 - 0.25)
        store.renew({"l": 1}, (), HELD_S)
    assert isinstance(store.take(claims), Full)
    clock.later(1.0)
    assert [load.held for load in store.loads(["l"])] == [1]
    store.settle(mine, [0])
    assert [load.held for load in store.loads(["l"])] == [0]
    store.close()


def test_the_place_of_a_killed_reader_is_cleared(tmp_path: Path) -> None:
    clock = SetClock(1000.0)
    store = LmdbStore(tmp_path, clock=clock)
    store.count("c")

    def read() -> None:
        with LmdbStore(tmp_path).begin(write=False) as table:
            table.get("c:c")
            os.kill(os.getpid(), signal.SIGSTOP)

    with children(read) as pids:
        os.waitpid(pids[0], os.WUNTRACED)
        store.count("c")
        assert str(pids[0]) in _readers(store)
        os.kill(pids[0], signal.SIGKILL)
    for _ in range(20):
        clock.later(2.5)
        store.count("c")

    assert str(pids[0]) not in _readers(store)
    store.close()


def _readers(store: LmdbStore) -> str:
    assert store._opened  # noqa: SLF001  no step shows readers
    return str(store._opened.env.readers())  # noqa: SLF001  the same
