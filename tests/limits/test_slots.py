"""Places counted over several processes, kept by the kernel."""

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from relay.limits.slots import Slot, Slots

HOLDER = Path(__file__).with_name("holder.py")
ROOT = Path(__file__).parents[2]

Hold = Callable[..., "Holder"]


class Holder:
    """A real process that holds what it got."""

    def __init__(self, path: Path, limit: int, count: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HOLDER), str(path), str(limit), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        self.got = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class StillClock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "slots"


@pytest.fixture
def hold(path: Path) -> Iterator[Hold]:
    holders: list[Holder] = []

    def start(limit: int, count: int) -> Holder:
        holders.append(Holder(path, limit, count))
        return holders[-1]

    yield start
    for holder in holders:
        holder.close()


def take(slots: Slots, limit: int) -> Slot:
    slot = slots.take(limit)
    assert slot is not None
    return slot


def test_no_more_than_the_limit_are_taken_and_a_released_place_can_be_taken_again(
    path: Path,
) -> None:
    slots = Slots(path)
    first, _second = take(slots, 2), take(slots, 2)

    assert slots.take(2) is None
    first.release()
    assert slots.take(2) is not None
    assert slots.take(2) is None


def test_a_place_is_given_back_once_however_often_it_is_released(path: Path) -> None:
    slots = Slots(path)
    first = take(slots, 1)
    first.release()
    take(slots, 1)

    first.release()

    assert slots.held == 1
    assert slots.take(1) is None
    assert repr(first) == "Slot(free)"


def test_zero_is_no_limit_and_touches_no_file(path: Path) -> None:
    slots = Slots(path)

    places = [take(slots, 0) for _ in range(100)]

    assert not path.parent.exists()
    places[0].release()
    assert slots.held == 0


def test_the_limit_may_change_between_calls(path: Path) -> None:
    slots = Slots(path)
    places = [take(slots, 3) for _ in range(3)]

    assert slots.take(2) is None
    assert slots.take(4) is not None
    for place in places:
        place.release()
    take(slots, 2)
    assert slots.take(2) is None


def test_the_limit_holds_over_processes(path: Path, hold: Hold) -> None:
    slots = Slots(path)
    mine = take(slots, 5)

    assert hold(5, 3).got == 3
    assert hold(5, 3).got == 1
    assert slots.take(5) is None
    mine.release()
    assert hold(5, 1).got == 1


def test_places_of_a_killed_process_come_back_by_themselves(path: Path, hold: Hold) -> None:
    slots = Slots(path)
    holder = hold(3, 3)
    assert slots.take(3) is None

    holder.kill()

    assert [slots.take(3) is not None for _ in range(4)] == [True, True, True, False]


def test_releasing_one_place_keeps_the_others_locked_for_other_processes(
    path: Path, hold: Hold
) -> None:
    slots = Slots(path)
    places = [take(slots, 3) for _ in range(3)]

    places[1].release()

    assert hold(3, 3).got == 1


def test_processes_that_fight_for_places_never_hold_more_than_the_limit(
    path: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    program = [sys.executable, str(HOLDER.with_name("hammering.py")), str(path), "2", "200"]
    fighters = [
        subprocess.Popen([*program, str(told)], env={"PYTHONPATH": str(ROOT)}) for _ in range(4)
    ]

    assert [fighter.wait(30) for fighter in fighters] == [0, 0, 0, 0]

    held = list(accumulate({"+": 1, "-": -1}[mark] for mark in told.read_text()))
    assert len(held) == 4 * 200 * 2
    assert max(held) == 2


def test_a_forked_child_starts_without_its_parents_places(path: Path) -> None:
    # In a process of its own: a fork of the test runner would carry its threads' locks along.
    forked = subprocess.run(
        [sys.executable, str(HOLDER.with_name("forking.py")), str(path)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert forked.stdout.split("\n") == ["child: [True, False]", "parent: [True, False]", ""]


def test_only_the_owner_can_read_the_file(path: Path) -> None:
    take(Slots(path), 1)

    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_without_its_file_a_process_counts_for_itself_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    clock = StillClock()
    slots = Slots(blocked / "slots", clock=clock)

    with caplog.at_level(logging.WARNING, logger="relay.limits"):
        place = take(slots, 1)
        assert slots.take(1) is None
        place.release()
        clock.now += 10
        take(slots, 1)

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_counting_over_processes_resumes_when_the_file_can_be_opened(
    tmp_path: Path, path: Path, hold: Hold
) -> None:
    parent = path.parent
    parent.write_text("in the way")
    clock = StillClock()
    slots = Slots(path, clock=clock)
    take(slots, 2).release()
    parent.unlink()

    clock.now += 5
    take(slots, 2)

    assert hold(2, 2).got == 1
    assert tmp_path.exists()
