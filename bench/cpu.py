"""Read the CPU time of a process and everything below it from /proc.

`schedstat` counts nanoseconds on the processor, where `stat` counts ticks of 10 ms.
"""

from collections.abc import Iterator
from pathlib import Path


def cpu_s(root: int) -> float:
    """Seconds that this process and its descendants have run, threads included."""
    threads = (task for pid in tree(root) for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads) / 1e9


def tree(root: int) -> Iterator[int]:
    """A process and its descendants."""
    yield root
    for task in Path(f"/proc/{root}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from tree(int(child))
