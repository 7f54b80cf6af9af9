"""Watching: every way a file can change is seen once, within a second; nothing else is."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.config.watching import ConfigWatch

# Imported first and patched later, as in a worker that the server's master has forked.
UNDER_GEVENT = """
import sys, time
from pathlib import Path
from relay.config.watching import ConfigWatch
from gevent import monkey
monkey.patch_all()
path, seen = Path(sys.argv[1]), []
watch = ConfigWatch(path, lambda: seen.append(path.read_text()), interval_s=0.05)
watch.start()
path.write_text("two")
deadline = time.monotonic() + 5
while not seen and time.monotonic() < deadline:
    time.sleep(0.02)
watch.close()
import threading
print(seen, len(threading._active))
"""


class Watched:
    """A watch with its calls counted."""

    def __init__(self, path: Path, on_change: Callable[[], None] | None = None) -> None:
        self.calls: list[float] = []
        self._also = on_change or (lambda: None)
        self.watch = ConfigWatch(path, self._called, interval_s=0.05)

    def _called(self) -> None:
        self.calls.append(time.monotonic())
        self._also()

    def wait_for(self, count: int) -> None:
        """Wait until there were so many calls, and no more for longer than a change settles."""
        deadline = time.monotonic() + 3
        while len(self.calls) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.4)
        assert len(self.calls) == count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("one")
    return path


@pytest.fixture
def watched(path: Path) -> Iterator[Watched]:
    watched = Watched(path)
    watched.watch.start()
    yield watched
    watched.watch.close()


def test_an_edit_in_place_is_seen_once_and_within_a_second(watched: Watched, path: Path) -> None:
    began = time.monotonic()
    path.write_text("two")

    watched.wait_for(1)
    assert watched.calls[0] - began < 1


def test_an_edit_that_keeps_size_and_time_is_seen(watched: Watched, path: Path) -> None:
    times = path.stat()
    with path.open("r+") as file:
        file.write("owt")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    watched.wait_for(1)


def test_a_rename_over_the_file_is_seen(watched: Watched, path: Path) -> None:
    other = path.with_name("config.yaml.tmp")
    other.write_text("two")
    other.replace(path)

    watched.wait_for(1)


def test_a_swap_of_the_symlink_is_seen(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(name)
    (tmp_path / "current").symlink_to("first")
    watched = Watched(tmp_path / "current" / "config.yaml")
    watched.watch.start()

    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").replace(tmp_path / "current")

    watched.wait_for(1)
    watched.watch.close()


def test_five_quick_writes_are_one_change(watched: Watched, path: Path) -> None:
    for number in range(5):
        path.write_text(f"text {number}")
        time.sleep(0.03)

    watched.wait_for(1)


def test_a_file_written_without_pause_is_reported_within_a_second(
    watched: Watched, path: Path
) -> None:
    began = time.monotonic()
    number = 0
    while not watched.calls and time.monotonic() - began < 2:
        number += 1
        path.write_text(f"text {number}")
        time.sleep(0.02)

    assert watched.calls[0] - began < 1


def test_other_files_of_the_folder_and_a_touch_are_not_seen(watched: Watched, path: Path) -> None:
    path.with_name("other.yaml").write_text("two")
    path.touch()
    path.write_text("one")

    watched.wait_for(0)


def test_a_change_that_is_taken_back_at_once_is_none(watched: Watched, path: Path) -> None:
    path.write_text("two")
    time.sleep(0.1)
    path.write_text("one")

    watched.wait_for(0)


def test_a_missing_file_is_reported_once_and_its_return_too(watched: Watched, path: Path) -> None:
    path.unlink()
    watched.wait_for(1)
    watched.wait_for(1)

    path.write_text("one")
    watched.wait_for(2)


def test_a_change_between_making_and_starting_the_watch_is_seen(path: Path) -> None:
    watched = Watched(path)
    path.write_text("two")

    watched.watch.start()

    watched.wait_for(1)
    watched.watch.close()


def test_a_reload_that_raises_is_logged_and_the_next_change_is_seen(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a fault in the reload")

    watched = Watched(path, fail)
    watched.watch.start()

    path.write_text("two")
    watched.wait_for(1)
    path.write_text("three")
    watched.wait_for(2)
    watched.watch.close()

    assert [record.getMessage() for record in caplog.records] == ["config watch failed"] * 2
    assert "a fault in the reload" in caplog.text


def test_nothing_is_reported_after_closing_and_closing_twice_is_fine(path: Path) -> None:
    watched = Watched(path)
    watched.watch.start()
    watched.watch.start()
    watched.watch.close()
    watched.watch.close()
    watched.watch.start()

    path.write_text("two")

    watched.wait_for(0)


def test_a_watch_may_be_closed_by_its_own_change(path: Path) -> None:
    changed = Watched(path, lambda: changed.watch.close())  # noqa: PLW0108 - not made yet
    changed.watch.start()

    path.write_text("two")

    changed.wait_for(1)


def test_a_pipe_in_place_of_the_file_does_not_stop_the_watch(watched: Watched, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    watched.wait_for(1)

    path.unlink()
    path.write_text("two")
    watched.wait_for(2)


def test_under_gevent_the_watch_is_a_greenlet_that_sees_changes(path: Path) -> None:
    command = [sys.executable, "-c", UNDER_GEVENT, str(path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)

    assert done.stdout == "['two'] 1\n"
