"""Say a thing once for all workers, though each of them notices it.

Every worker sees that the configuration changed. The first to claim the news writes its mark into
a small file under a lock that the kernel gives back when its holder dies; the others find the mark.
"""

import fcntl
import hashlib
import os
from pathlib import Path


class Once:
    """Which of the processes of one family (the same parent) says a thing."""

    def __init__(self, path: Path) -> None:
        """`path`: a file all of them can write; made 0600 when it is missing, its folder 0700."""
        self._path = path

    def is_mine(self, news: str) -> bool:
        """Whether this process is the one to say it. Where the file fails, every process is.

        The mark is the last news alone: what was said before and comes again is said again.
        """
        mark = hashlib.sha256(f"{os.getppid()}\n{news}".encode()).digest()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.pread(fd, len(mark), 0) == mark:
                return False
            os.pwrite(fd, mark, 0)
        except OSError:
            return True
        finally:
            os.close(fd)
        return True
