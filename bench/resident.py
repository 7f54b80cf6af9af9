"""Read from /proc how much memory processes hold."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pids: Iterable[int]) -> int:
    """The resident memory of these processes together; what they share counts for each."""
    return sum(_pages(pid) for pid in pids) * _PAGE_BYTES


def _pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:  # ended between two looks
        return 0
