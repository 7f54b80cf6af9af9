"""Who runs on which core: what is measured on one, load and upstream on another.

With a single core nothing is pinned. Everything is put back at the end, for whoever imports us.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores we may use, and the two we choose; None = nothing is pinned."""

    allowed: frozenset[int]
    measured: int | None
    load: int | None

    def __str__(self) -> str:
        if self.measured is None:
            return "one core: nothing is pinned"
        return f"relay on core {self.measured}, load and upstream on core {self.load}"


def choose() -> Cores:
    """The first two of the cores this process may use."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        return Cores(frozenset(allowed), None, None)
    measured, load, *_ = sorted(allowed)
    return Cores(frozenset(allowed), measured, load)


@contextlib.contextmanager
def apart(cores: Cores) -> Iterator[None]:
    """This process, and what it starts meanwhile, on the core for the load."""
    if cores.load is None:
        yield
        return
    os.sched_setaffinity(0, {cores.load})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores.allowed)


@contextlib.contextmanager
def together(cores: Cores, *others: int) -> Iterator[None]:
    """This process, the others and what it starts meanwhile on all cores, as they find room."""
    pids = (0, *others)
    before = [os.sched_getaffinity(pid) for pid in pids]
    try:
        for pid in pids:
            os.sched_setaffinity(pid, cores.allowed)
        yield
    finally:
        for pid, allowed in zip(pids, before, strict=True):
            os.sched_setaffinity(pid, allowed)
