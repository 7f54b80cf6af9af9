"""File lock: one process at a time, for so long as it lives, and a wait that has an end.

LMDB has a lock of its own for those who write: a mutex in shared memory. A wait for it may last for
ever: when its holder is killed after it has let go and before it wakes who waits, and another
process takes it in between, nobody wakes that one any more. (With two processes that do nothing but
write, that was one kill in a few hundred.) So whoever writes holds a file's lock first, and
nobody ever waits for the mutex. The kernel itself takes a file's lock back from the dead, after it
has marked the mutex as left behind.

A wait switches no greenlets: gevent knows nothing of it.
"""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

_AT_ONCE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
# Whoever had its turn just now queues for the next one.
_JUST_NOW_S: Final = 0.001
# Whoever waits asks again at once so often, then sleeps in between.
_TURNS: Final = 50
_PAUSE_S: Final = 0.0002


def lock_file(path: Path) -> int:
    """A descriptor to lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock(file: int, patience_s: float, progress: Callable[[], int] = int) -> None:
    """Lock it. Raises: `TimeoutError` when others hold it for so long without any `progress`."""
    try:
        fcntl.flock(file, _AT_ONCE)
    except BlockingIOError:
        _wait_for(file, patience_s, progress)


class Turn:
    """Whoever waits for it longest has it next, or nearly so: none can have it twice before that.

    Without the second lock one that takes turns without a pause leaves others none: on a busy
    machine they ask only while it has been stopped in the middle of its turn. Whoever comes after a
    pause tries without it. (To let a few turns pass in a row was tried: then a busy machine stops
    more of them in the middle, and some wait for longer than they may.)
    """

    def __init__(self, folder: Path) -> None:
        self._next = lock_file(folder / "next")
        self._now = lock_file(folder / "writing")
        self._had_at = 0.0

    def take(self, patience_s: float, progress: Callable[[], int] = int) -> None:
        """As `lock`."""
        if time.monotonic() - self._had_at > _JUST_NOW_S:
            try:
                fcntl.flock(self._now, _AT_ONCE)
            except BlockingIOError:
                pass
            else:
                return
        lock(self._next, patience_s, progress)
        try:
            lock(self._now, patience_s, progress)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def give_back(self) -> None:
        """Let others have theirs."""
        fcntl.flock(self._now, fcntl.LOCK_UN)
        self._had_at = time.monotonic()

    def close(self) -> None:
        """No more turns."""
        os.close(self._next)
        os.close(self._now)


@contextmanager
def locked(path: Path, patience_s: float) -> Iterator[None]:
    """Hold the lock of a file that is made for it. Raises: as `lock`."""
    file = lock_file(path)
    try:
        lock(file, patience_s)
        yield
    finally:
        os.close(file)


def _wait_for(file: int, patience_s: float, progress: Callable[[], int]) -> None:
    until, seen = time.monotonic() + patience_s, progress()
    for turn in count():
        if turn < _TURNS:
            os.sched_yield()
        else:
            signal.sigtimedwait((), _PAUSE_S)  # gevent has replaced every other sleep
        try:
            fcntl.flock(file, _AT_ONCE)
        except BlockingIOError:
            if time.monotonic() < until:
                continue
            if seen == progress():
                raise TimeoutError("another process holds the lock and does not go on") from None
            until, seen = time.monotonic() + patience_s, progress()
        else:
            return
