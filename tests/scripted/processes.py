"""Look at processes of one's own from outside: children, descriptors, and who holds a connection.

Reads `/proc`, so Linux only, as the rest of these tests.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The direct children of a process, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(map(int, (_PROC / f"{pid}/task/{pid}/children").read_text().split()))
    return []


def descriptors(pid: int) -> list[str]:
    """What every open descriptor of a process points at."""
    targets: list[str] = []
    for entry in (_PROC / f"{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            targets.append(str(entry.readlink()))
    return targets


def resident_bytes(pid: int) -> int:
    """The memory a process holds."""
    pages = int((_PROC / f"{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peer_of(connected: socket.socket, candidates: Iterable[int]) -> int | None:
    """Which of the candidates holds the other end of a loopback connection; None if none does."""
    inode = _inode_of_other_end(connected)
    return next((pid for pid in candidates if f"socket:[{inode}]" in descriptors(pid)), None)


@contextlib.contextmanager
def paused(pids: Iterable[int]) -> Iterator[None]:
    """Hold processes still: what arrives meanwhile is taken by the others."""
    held = list(pids)
    try:
        _signal(held, signal.SIGSTOP)
        yield
    finally:
        _signal(held, signal.SIGCONT)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one that has just ended needs none
            os.kill(pid, number)


def _inode_of_other_end(connected: socket.socket) -> str:
    ours, theirs = connected.getsockname()[1], connected.getpeername()[1]
    for line in (_PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(field.split(":")[1], 16) for field in fields[1:3])
        if (local, remote) == (theirs, ours):
            return fields[9]
    return ""
