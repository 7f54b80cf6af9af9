"""Several who use one store at the same moment, as threads or as processes."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from relay.state.store import Claim, Full, Store, Taken

SIZE = 3
ROOM = 600
PLACES = 60
AT_ONCE = 2
COUNTS = 150
SWAPS = 50
# Whoever waits for the others, or for a turn, gives up.
PATIENCE_S = 20.0
# Threads change so often that a step which is not whole is caught in the middle.
TURN_S = 1e-6


@dataclass(frozen=True, slots=True)
class Gains:
    """What one of them got."""

    taken: int
    places: Sequence[str]
    together: Sequence[int]
    """How much was held by lasting claims: while it held one itself, and after it was settled."""
    counted: Sequence[int]
    swapped: Sequence[int]


def join(opening: Callable[[], Store], me: int) -> Gains:
    """Be one of `SIZE`: begin when all are there, and take what is to be had."""
    store = opening()
    until = time.monotonic() + PATIENCE_S
    store.count("there")
    while store.count("there", 0) < SIZE:
        assert time.monotonic() < until, "the others did not come"
        time.sleep(0.001)  # they need a processor to come
    taken = 0
    while isinstance(store.take([[Claim("all", 1), Claim("window", 1, ROOM)]]), Taken):
        taken += 1
    places = list(iter(lambda: store.hold("places", PLACES, PATIENCE_S), None))
    together = [held for _ in range(COUNTS) for held in _lasting(store, until)]
    counted = [store.count("counter") for _ in range(COUNTS)]
    return Gains(taken, places, together, counted, list(_raise_number(store, me, until)))


def _lasting(store: Store, until: float) -> Iterator[int]:
    """Take one of a few at once, and settle it; yields how many there are meanwhile."""
    while isinstance(taken := store.take([[Claim("few", 1, AT_ONCE, lasting=True)]]), Full):
        assert time.monotonic() < until, "no turn came"
    yield store.loads(["few"])[0].held
    store.settle(taken, [0])
    yield store.loads(["few"])[0].held


def _raise_number(store: Store, me: int, until: float) -> Iterator[int]:
    """Raise a number by compare and set, so often; yields what it became. Each bears a mark."""
    found = store.swap("number", None, b"0 0")
    for _ in range(SWAPS):
        won = False
        while not won:
            assert time.monotonic() < until, "no turn came"
            number = int((found or b"0 0").split()[0]) + 1
            wanted = b"%d %d" % (number, me)
            found = store.swap("number", found, wanted)
            won = found == wanted
        yield number


def of_threads(store: Store) -> list[Gains]:
    """The gains of threads that share a store."""
    with _turns(TURN_S), ThreadPoolExecutor(SIZE) as pool:
        return _gather(pool, lambda: store)


def of_processes(opening: Callable[[], Store]) -> list[Gains]:
    """The gains of new processes; `opening` is pickled and called in each."""
    with ProcessPoolExecutor(SIZE, get_context("spawn")) as pool:
        return _gather(pool, opening)


def _gather(pool: Executor, opening: Callable[[], Store]) -> list[Gains]:
    return list(pool.map(partial(join, opening), range(1, SIZE + 1), timeout=2 * PATIENCE_S))


@contextmanager
def _turns(interval_s: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval_s)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
