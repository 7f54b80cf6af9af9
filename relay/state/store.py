"""Store: what the workers of one relay share, as a few atomic steps.

    take ──► exchange ──► settle            windows: so much in any minute
    hold ──► exchange ──► let_go            places: so many at once
    count                                   counters
    swap                                    a small record, compared and set
    remember, recall                        facts that run out

Each step is one round trip, all or nothing, and is never half seen by another process. None
switches greenlets but those of a store in the network. Names are made by the caller; a name in one
step has nothing to do with the same name in another.

What a dead worker has taken runs out by itself: windows forget after a minute, places and facts
after the time they were given. Time is the store's own, one clock for all who share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

WINDOW_S: Final = 60
"""The length of a window. It is counted in whole seconds and looks back over a second more, so
that in *any* sixty seconds no more than the limit starts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`amount` of what the window `name` lets through in a minute; `limit` 0: counted only.

    Within one choice each window is claimed once.
    """

    name: str
    amount: int
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """Claims that are counted."""

    choice: int
    """Which of the choices it was."""
    claims: tuple[Claim, ...]
    second: int
    """The second of the store in which they count."""


@dataclass(frozen=True, slots=True)
class Full:
    """No choice has room. `wait_s`: until the first of them may have it, up to a second more."""

    wait_s: float


class StoreAway(Exception):
    """The store does not answer. Whoever asked goes on without (behaviour 9.8)."""


class Store(Protocol):
    """The steps. Each may raise `StoreAway`; then nothing is known to have happened."""

    def take(self, choices: Sequence[Sequence[Claim]]) -> Taken | Full:
        """Count the claims of the first choice of which every window has room.

        A claim that is larger than its limit has room in an empty window (behaviour 9.3).
        """
        ...

    def settle(self, taken: Taken, amounts: Sequence[int]) -> None:
        """Put `amounts` in the place of what `taken` claimed, claim by claim.

        They count in the second in which it was taken; after a minute it makes no difference.
        """
        ...

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """One of `limit` places: its token, None when all are taken. Freed after `ttl_s`."""
        ...

    def let_go(self, name: str, token: str) -> None:
        """Free a place. A token that has run out changes nothing."""
        ...

    def count(self, name: str, step: int = 1) -> int:
        """Add to a counter, from 0; what it said before."""
        ...

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """Set a record to `new` (None: remove it) if it is `old`; what it is now.

        The caller has won when that is `new`; of two with the same `new` both have, so whoever must
        be the only one puts a mark of its own into the record.
        """
        ...

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep facts, each for `ttl_s` from now."""
        ...

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        """The facts by these names, None for what nobody remembers."""
        ...

    def now(self) -> float:
        """The store's Unix seconds."""
        ...

    def close(self) -> None:
        """Let go of everything this process holds open. Idempotent."""
        ...
