"""Claude Code's `settings.json` on the disk.

Whoever changes it holds the folder's lock, so that two of us do not work at once. Others do not
know that lock: right before the rename the file is read again, and if it is no longer what the
change was made from, nothing is written.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.cli.claude_settings import NotSettings, Settings, settings_of
from relay.cli.exact_json import NotJson, parse, serialize
from relay.cli.refused import Refused, in_words
from relay.cli.replace_file import make_folder, replace_file

_BACKUP: Final = ".cc-relay-backup"
_LOCK_WAIT_S: Final = 5.0
_LOCK_PAUSE_S: Final = 0.05
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The file as it was read."""

    path: Path
    raw: bytes | None
    """None if there is no such file."""
    settings: Settings

    @property
    def backup(self) -> Path:
        """Where the original is kept, beside the file."""
        return self.path.with_name(self.path.name + _BACKUP)

    def keep_original(self) -> bool:
        """Save what was read, unless a first change has done so already. True if it was saved."""
        if self.raw is None or os.path.lexists(self.backup):
            return False
        status = self.path.stat()
        descriptor = os.open(self.backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.raw)
            with contextlib.suppress(PermissionError):  # another's file: the backup is ours
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            os.fsync(file.fileno())
        return True

    def replace(self, settings: Settings) -> None:
        """Write other settings. Refused if somebody changed the file since it was read."""
        if _raw(self.path) != self.raw:
            raise Refused(f"{self.path}: changed while it was being edited, nothing was written")
        replace_file(self.path, serialize(settings).encode())


def read(path: Path) -> SettingsFile:
    """Read the settings; a missing file counts as `{}`. Anything unclear is refused."""
    raw = _raw(path)
    if raw is None:
        return SettingsFile(path, None, {})
    try:
        settings = settings_of(parse(raw.removeprefix(_BOM).decode()))
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: is not UTF-8 (byte {error.start})") from error
    except NotJson as error:
        raise Refused(f"{path}: is not JSON that can be edited safely: {error}") from error
    except NotSettings as error:
        raise Refused(f"{path}: {error}") from error
    return SettingsFile(path, raw, settings)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder if it is missing, and keep others of us out of it for the while."""
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    for _ in range(int(_LOCK_WAIT_S / _LOCK_PAUSE_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        except OSError as error:
            if error.errno in {errno.ENOLCK, errno.ENOTSUP, errno.EBADF}:
                return  # some network file systems have no locks; the second reading remains
            raise
        else:
            return
    raise Refused(f"{folder}: another cc-relay is changing it for more than {_LOCK_WAIT_S:.0f} s")


def _raw(path: Path) -> bytes | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused(f"{path}: is not a regular file")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(in_words(error)) from error
