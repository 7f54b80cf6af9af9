"""A store that goes away and comes back as a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from relay.state.memory import MemoryStore
from relay.state.steps import Table
from relay.state.store import Claim, Full, Store, StoreAway

ONE: Final = [[Claim("w", 1, 3)]]
LONG_S: Final = 30.0


class Leaving(MemoryStore):
    """A store that is away while the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.is_closed = False

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Table]:
        if self.is_away:
            raise StoreAway("gone for a walk")
        with super().begin(write=write) as table:
            yield table

    def close(self) -> None:
        self.is_closed = True


def counted(store: Store) -> int:
    """How much of the window was taken; takes the rest."""
    for times in range(4):
        if isinstance(store.take(ONE), Full):
            return 3 - times
    raise AssertionError("the window has no end")
