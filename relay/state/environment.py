"""Environment: the LMDB files in the store's folder, opened, found whole, or set aside.

    FOLDER/opening      locked while one process opens or sets aside; others wait, for milliseconds
    FOLDER/in-use       locked, shared, by each process that has the store open
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
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import lmdb
from lmdb.verify import VerifyError, verify

Files = tuple[int, int]
"""What tells one data file from another: device and inode."""

# Slots for readers: one a process, for the length of a read. A killed one keeps its own until
# `reader_check`, and workers are at most some dozens.
_READERS: Final = 512
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
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


@dataclass(slots=True)
class Environment:
    """An open environment, of the process `pid` alone; all stores of one folder use the same."""

    env: lmdb.Environment
    database: lmdb._Database
    files: Files
    in_use: int
    notes: Sequence[str]
    """Why a store was set aside on the way, for the log."""
    pid: int = field(default_factory=os.getpid)
    users: int = 1

    def pages(self, txn: lmdb.Transaction) -> int:
        """How many pages hold records."""
        found = txn.stat(self.database)
        return found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]

    def close(self) -> None:
        """Be one user less. A child that has inherited it takes nothing from its parent.

        That holds because no read transaction outlives its step: `max_spare_txns` is 0.
        """
        self.users -= 1
        if not self.users or self.pid != os.getpid():
            self.discard()

    def discard(self) -> None:
        """Close it for all users, who find out at their next step."""
        if _OPEN.get(self.files) is self:
            del _OPEN[self.files]
            self.env.close()
            os.close(self.in_use)  # never LOCK_UN: a child would unlock for its parent

    def of_this_process(self) -> "Environment | None":
        """The same with one user more; None, and closed, when it is a parent's."""
        if self.pid != os.getpid():
            self.discard()
            return None
        self.users += 1
        self.notes = ()
        return self


# LMDB must not have the same files open twice in one process.
_OPEN: Final[dict[Files, Environment]] = {}


def open_environment(
    folder: Path, map_bytes: int, damaged: tuple[Files, str] | None
) -> Environment:
    """Open the store in `folder`, or a new one; set aside what is `damaged` and still there.

    Raises: `OSError`, `lmdb.Error` when neither is possible.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes: list[str] = []
    with _locked(folder / "opening"):
        found = files_of(folder)
        if damaged and damaged[0] == found:  # else somebody has done it already
            notes.append(_set_aside(folder / "shared", damaged[1]))
        elif found and found in _OPEN and (opened := _OPEN[found].of_this_process()):
            return opened
        in_use = os.open(folder / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            opened = _open_whole(folder, map_bytes, in_use, notes)
        except BaseException:
            os.close(in_use)
            raise
    opened.env.reader_check()
    return opened


def _open_whole(folder: Path, map_bytes: int, in_use: int, notes: list[str]) -> Environment:
    shared = folder / "shared"
    fault = _fault(shared / "data.mdb") if _alone(in_use) else None
    if fault:
        notes.append(_set_aside(shared, fault))
    try:
        env, database = _open(shared, map_bytes)
    except DAMAGE as error:
        notes.append(_set_aside(shared, str(error)))
        env, database = _open(shared, map_bytes)
    fcntl.flock(in_use, fcntl.LOCK_SH)
    files = files_of(folder)
    if files is None:
        env.close()
        raise FileNotFoundError(shared)  # removed at this very moment
    _OPEN[files] = Environment(env, database, files, in_use, notes)
    return _OPEN[files]


def files_of(folder: Path) -> Files | None:
    """Which data file stands in the folder now."""
    try:
        found = os.stat(folder / "shared" / "data.mdb")  # noqa: PTH116  Path.stat costs twice as much
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


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
        max_spare_txns=0,
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
