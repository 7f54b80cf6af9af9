"""`server.max_concurrent`: so many exchanges at once, over all workers of this machine.

A slot is a byte of one file, locked with a POSIX record lock. The kernel drops the locks of a
process that dies, however it dies, so a slot is never lost and nothing has to be swept.

    take(limit) ──► Slot ──► release          byte n of the file is locked meanwhile

Two properties of such locks shape the code:

- They belong to the process: two takers in one process do not see each other's. What this process
  holds is in `_held`.
- Closing *any* descriptor of the file drops *all* locks the process has on it. So there is one
  descriptor, opened at first use in the worker and never closed; nothing else may open the file.

Fails open: where the file cannot be opened or locked, each process counts for itself, and tries
the file again every few seconds. An exchange admitted under a larger limit keeps its slot after a
reload lowers it; other workers do not count it until it ends.
"""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.clock import Clock, SystemClock

log = logging.getLogger("relay.limits")

# How soon counting over all workers resumes once the file can be used again (behaviour 9.8).
_RETRY_S: Final = 5.0

# Workers have neighbouring process ids; multiplied by this (2³² / golden ratio, odd) they begin to
# look for places far from each other and seldom meet.
_SPREAD: Final = 0x9E3779B1

# What `lockf` says when another process has the byte; which one depends on the system.
_TAKEN: Final = (errno.EACCES, errno.EAGAIN)


class Slot:
    """One place among the limit. Made by `Slots.take`."""

    __slots__ = ("_number", "_slots")

    def __init__(self, slots: "Slots | None", number: int) -> None:
        self._slots = slots
        self._number = number

    def release(self) -> None:
        """Give the place back. Only the first call counts."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots._give_back(self._number)  # noqa: SLF001  the other half of this class

    def __repr__(self) -> str:
        return f"Slot({self._number if self._slots else 'free'})"


class Slots:
    """The places of one machine, counted in the file `path`. One for a process.

    No method switches greenlets; with threads, `take` would need a lock.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._fd: int | None = None
        self._process = 0
        self._held: set[int] = set()
        self._hint = 0
        self._retry_at = 0.0
        self._is_shared = True

    def take(self, limit: int) -> Slot | None:
        """A place, or None when `limit` of them are taken; 0 is no limit and costs nothing."""
        if limit == 0:
            return Slot(None, 0)
        self._settle_in()
        if len(self._held) >= limit:
            return None
        fd = self._file()
        for number in self._free(limit):
            if fd is None or self._locks(fd, number):
                self._held.add(number)
                return Slot(self, number)
        return None

    @property
    def held(self) -> int:
        """How many places this process holds."""
        return len(self._held)

    def _give_back(self, number: int) -> None:
        if self._process != os.getpid():
            return  # taken before a fork: the parent's place
        self._held.discard(number)
        self._hint = number
        if self._fd is not None:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, number)
            except OSError as error:
                self._alone(error)

    def _settle_in(self) -> None:
        """Notice a fork: a child inherits the descriptor, but not one of the locks."""
        process = os.getpid()
        if process != self._process:
            self._process = process
            self._held = set()
            self._hint = process * _SPREAD

    def _free(self, limit: int) -> Iterator[int]:
        """The places this process does not hold, from where one was free last."""
        start = self._hint % limit
        for number in (*range(start, limit), *range(start)):
            if number not in self._held:
                self._hint = number + 1
                yield number

    def _file(self) -> int | None:
        if self._fd is None and self._clock.monotonic() >= self._retry_at:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                self._alone(error)
        return self._fd

    def _locks(self, fd: int, number: int) -> bool:
        """Lock one byte if nobody has it. True, too, where the file cannot be locked at all."""
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            self._alone(error)
            return True
        self._is_shared = True
        return True

    def _alone(self, error: OSError) -> None:
        self._retry_at = self._clock.monotonic() + _RETRY_S
        if self._is_shared:
            self._is_shared = False
            log.warning(
                "max_concurrent is counted by each worker for itself",
                extra={"fields": {"path": str(self._path), "reason": error.strerror}},
            )
