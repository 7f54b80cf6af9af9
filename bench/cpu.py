"""Read the CPU time of a process and everything below it from /proc.

`schedstat` counts nanoseconds on the processor, where `stat` counts ticks of 10 ms.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path


def cpu_s(root: int) -> float:
    """Seconds that this process and its descendants have run, threads included.

    What has ended and been waited for no longer counts: measure while nothing ends.
    """
    return sum(_thread_ns(task) for pid in tree(root) for task in _threads(pid)) / 1e9


def tree(root: int) -> Iterator[int]:
    """A process and its descendants."""
    yield root
    for task in _threads(root):
        for child in _read(task / "children").split():
            yield from tree(int(child))


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:  # ended between two looks
        return []


def _thread_ns(task: Path) -> int:
    return int((_read(task / "schedstat") or "0").split()[0])


def _read(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return path.read_text()
    return ""
