"""Write a file so that a reader finds the old content or the new, never a part of either.

A temporary file in the same folder is written, flushed to the disk and renamed over the old one.
A link is followed: the file it points to is replaced, the link stays.
"""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Put `content` at `path`. The file keeps its owner and, without `mode`, its mode.

    A new file is its owner's alone (0600).
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _take_after(target, file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(target.parent)


def make_folder(path: Path) -> None:
    """Make a folder with those above it that are missing, each for its owner alone."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(path))


def _take_after(old: Path, descriptor: int, mode: int | None) -> None:
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    mine = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    # Last: a change of owner clears bits of the mode.
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode) if mode is None else mode)


def _flush_folder(folder: Path) -> None:
    # A rename is on the disk only with its folder; not every file system can do that.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
