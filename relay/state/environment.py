"""Environment: the LMDB files in the store's folder, opened, found whole, or set aside.

    FOLDER/opening      locked while one process opens or sets aside; others wait, for milliseconds
    FOLDER/in-use       locked, shared, by each process that has the store open
    FOLDER/next, writing    locked by whoever writes next, and now: beside LMDB's (`file_lock`)
    FOLDER/shared/      LMDB's data and lock file: one directory, so that one rename sets both aside
    FOLDER/shared.aside-…   what was found damaged, the last few

**What a crash may cost.** A commit calls `pwrite` and nothing waits for the disk (`sync=False`). A
process that is killed, at any moment, costs nobody anything: what it committed is in the kernel's
page cache, and LMDB takes the write lock over from the dead. When the *machine* loses its power,
LMDB promises a whole file only if the file system keeps the order of writes, and ext4 does not
promise that. So whoever opens the store while nobody else has it open first walks the file page by
page (`lmdb.verify`: Python, no map; 0.25 s for 64 MiB, milliseconds as a rule), and one that is
not whole is set aside. At worst some records are half a minute older than others.

**Why no `writemap`.** It would save a few microseconds. But with it nothing at all orders the
writes, a full disk is a SIGBUS instead of an error, and a stray pointer can write into the store.
"""

import fcntl
import logging
import os
import shutil
import stat
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import lmdb
from lmdb.verify import VerifyError, verify

from relay.state.file_lock import Turn, lock_file, locked

log = logging.getLogger("relay.state")

Files = tuple[int, int]
"""What tells one data file from another: device and inode."""

# Slots for readers: one a process. A killed one keeps its own until `reader_check`, and workers are
# at most some dozens.
_READERS: Final = 512
# What live records may take of the map: a change is written beside what it replaces, and pages of
# one size leave gaps for another.
_ROOM: Final = 0.75
# A write takes some 20 µs and opening milliseconds. Whoever waits for longer goes on without, if
# nobody has written meanwhile: a busy machine is slow, but what stands still has been stopped.
_WRITE_S: Final = 0.1
_OPENING_S: Final = 2.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_FORMAT: Final = b"\2format"
_FORMAT_1: Final = b"cc-relay 1"
_ASIDE: Final = "shared.aside-"
_ASIDE_KEPT: Final = 3

DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
    lmdb.BadDbiError,
)
"""The file itself is at fault."""


class Stopped(TimeoutError):
    """Whoever writes now does not go on: it was stopped, on a busy machine or by somebody."""


@dataclass(slots=True)
class Environment:
    """An open environment, of one process alone; all its stores of one folder use the same.

    A fork closes it first: neither parent nor child finds it open.
    """

    env: lmdb.Environment
    database: lmdb._Database
    folder: Path
    map_bytes: int
    files: Files
    in_use: int
    turn: Turn
    notes: Sequence[str]
    """Why a store was set aside on the way, for the log."""
    users: int = 1
    closed: bool = False
    _full_said: bool = False
    _thread: threading.RLock = field(default_factory=threading.RLock)
    """A file's lock is the process's: this tells its threads apart."""

    def filled(self, txn: lmdb.Transaction) -> float:
        """Which part of what records may take they do: above 1 some have to go."""
        found = txn.stat(self.database)
        pages = found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
        return pages * _PAGE_BYTES / (self.map_bytes * _ROOM)

    def say_full(self) -> None:
        """Once while it is open."""
        if not self._full_said:
            self._full_said = True
            log.warning(
                "store is full: dropping what ends soonest",
                extra={"fields": {"folder": str(self.folder), "bytes": self.map_bytes}},
            )

    def settle(self) -> None:
        """Make pages that were freed usable: LMDB leaves them alone for one more transaction."""
        for _ in range(2):
            self.lock()
            try:
                with self.env.begin(write=True) as txn:
                    txn.put(_FORMAT, _FORMAT_1)
            finally:
                self.unlock()

    def lock(self) -> None:
        """Before a write transaction; `unlock` afterwards. Raises: `Stopped`."""
        self._thread.acquire()
        try:
            if not self.closed:  # what follows says so
                self.turn.take(_WRITE_S, self._last_write)
        except BaseException as error:
            self._thread.release()
            if isinstance(error, TimeoutError):
                raise Stopped(str(error)) from None
            raise

    def _last_write(self) -> int:
        return self.env.info()["last_txnid"]

    def unlock(self) -> None:
        """Let others write."""
        if not self.closed:
            self.turn.give_back()
        self._thread.release()

    def check_readers(self) -> None:
        """Free what killed readers hold: their places, and the pages they looked at."""
        with locked(self.folder / "opening", _OPENING_S):
            self.env.reader_check()

    def close(self) -> None:
        """Be one user less."""
        self.users -= 1
        if not self.users:
            self.discard()

    def discard(self) -> None:
        """Close it for all users, who find out at their next step."""
        with self._thread:
            if self.closed:
                return
            self.closed = True
            _OPEN.pop(self.files, None)
            self.env.close()
            os.close(self.in_use)
            self.turn.close()


# LMDB must not have the same files open twice in one process.
_OPEN: Final[dict[Files, Environment]] = {}


def close_all() -> None:
    """Before a fork: a child could neither use nor close what it inherits without harm."""
    for opened in list(_OPEN.values()):
        opened.discard()


os.register_at_fork(before=close_all)


def open_environment(
    folder: Path, map_bytes: int, damaged: tuple[Files, str] | None
) -> Environment:
    """Open the store in `folder`, or a new one; set aside what is `damaged` and still there.

    Raises: `OSError`, `lmdb.Error` when neither is possible.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes: list[str] = []
    with locked(folder / "opening", _OPENING_S):
        found = files_of(folder)
        if damaged and damaged[0] == found:  # else somebody has done it already
            notes.append(_set_aside(folder / "shared", damaged[1]))
        elif found and (opened := _OPEN.get(found)):
            opened.users += 1
            opened.notes = ()
            return opened
        with ExitStack() as undone:
            in_use = lock_file(folder / "in-use")
            undone.callback(os.close, in_use)
            turn = Turn(folder)
            undone.callback(turn.close)
            env, database = _open_whole(folder / "shared", map_bytes, in_use, notes)
            undone.callback(env.close)
            env.reader_check()
            files = files_of(folder)
            if files is None:
                raise FileNotFoundError(f"{folder} was removed at this very moment")
            undone.pop_all()
        _OPEN[files] = Environment(env, database, folder, map_bytes, files, in_use, turn, notes)
        return _OPEN[files]


def _open_whole(
    shared: Path, map_bytes: int, in_use: int, notes: list[str]
) -> tuple[lmdb.Environment, lmdb._Database]:
    fault = _fault(shared / "data.mdb") if _alone(in_use) else None
    if fault:
        notes.append(_set_aside(shared, fault))
    try:
        env, database = _open(shared, map_bytes)
    except DAMAGE as error:
        notes.append(_set_aside(shared, str(error)))
        env, database = _open(shared, map_bytes)
    fcntl.flock(in_use, fcntl.LOCK_SH)
    return env, database


def files_of(folder: Path) -> Files | None:
    """Which data file stands in the folder now."""
    try:
        found = os.stat(folder / "shared" / "data.mdb")  # noqa: PTH116  Path.stat costs twice as much
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _alone(in_use: int) -> bool:
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fault(data: Path) -> str | None:
    """What is wrong with a file that nobody has open; None also when there is none."""
    try:
        mode = data.stat()
        if not stat.S_ISREG(mode.st_mode):
            return "not a file"
        if not mode.st_size:
            return None
        # Untyped as yet; it returns a list of sentences.
        faults: list[str] = verify(str(data.parent))  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        return None
    except (VerifyError, OSError) as error:
        return str(error)
    return faults[0] if faults else None


def _open(shared: Path, map_bytes: int) -> tuple[lmdb.Environment, lmdb._Database]:
    shared.mkdir(mode=0o700, exist_ok=True)
    env = lmdb.open(
        str(shared),
        map_size=map_bytes,
        mode=0o600,
        sync=False,
        meminit=False,
        max_readers=_READERS,
    )
    try:
        return env, _ours(env)
    except BaseException:
        env.close()
        raise


def _ours(env: lmdb.Environment) -> lmdb._Database:
    """Mark a new store, and refuse what somebody else has written."""
    database = env.open_db()
    with env.begin() as reading:
        if reading.get(_FORMAT) == _FORMAT_1:
            return database
    with env.begin(write=True) as writing:
        if writing.stat(database)["entries"] and writing.get(_FORMAT) != _FORMAT_1:
            raise lmdb.IncompatibleError("not a store of this relay")
        writing.put(_FORMAT, _FORMAT_1)
    return database


def _set_aside(shared: Path, why: str) -> str:
    """Rename it; what was found wrong and where it is now."""
    kept = sorted(shared.parent.glob(f"{_ASIDE}*"), key=lambda each: each.lstat().st_mtime)
    for old in kept[: max(len(kept) + 1 - _ASIDE_KEPT, 0)]:
        shutil.rmtree(old, ignore_errors=True)
    number = 1
    while os.path.lexists(aside := shared.parent / f"{_ASIDE}{number}"):
        number += 1
    shared.rename(aside)
    return f"{why}; it is now {aside}"
