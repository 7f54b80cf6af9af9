"""A lock that ends with its holder, and a wait that ends by itself."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from relay.state.file_lock import Turn, locked
from tests.state.forked import children


def test_those_who_take_turns_without_a_pause_have_as_many_each(tmp_path: Path) -> None:
    start = time.monotonic() + 0.2

    def work() -> None:
        turn, taken = Turn(tmp_path), 0
        while time.monotonic() < start + 0.4:
            turn.take(5.0)
            taken += time.monotonic() > start
            turn.give_back()
        (tmp_path / f"{os.getpid()}.taken").write_text(str(taken))

    with children(work, work):
        pass

    least, most = sorted(int(each.read_text()) for each in tmp_path.glob("*.taken"))
    assert least > 100
    assert most < 4 * least


def test_who_had_its_turn_just_now_waits_behind_others(tmp_path: Path) -> None:
    turn = Turn(tmp_path)
    with (tmp_path / "next").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)

        turn.take(0.05)
        turn.give_back()
        with pytest.raises(TimeoutError):
            turn.take(0.05)

        time.sleep(0.002)
        turn.take(0.05)
        turn.give_back()


def test_a_wait_for_one_who_does_not_go_on_ends(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = time.monotonic()

        with pytest.raises(TimeoutError, match="does not go on"), locked(tmp_path / "lock", 0.05):
            pass

        assert 0.05 <= time.monotonic() - before < 2
    with locked(tmp_path / "lock", 0.05):
        pass


def test_what_the_dead_have_locked_is_free(tmp_path: Path) -> None:
    def die() -> None:
        Turn(tmp_path).take(1.0)
        os.kill(os.getpid(), signal.SIGKILL)

    with children(die):
        pass

    Turn(tmp_path).take(0.0)
