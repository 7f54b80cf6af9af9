"""Store: what the workers of one relay share, as a few atomic steps.

    take, rooms ──► exchange ──► settle     windows: so much in any minute; marks: so much at once
    bound                                   what an upstream says is left of a window
    hold ──► exchange ──► let_go            places: so many at once
    renew                                   what a living worker holds lasts longer
    count                                   counters
    swap, look                              small records, compared and set
    remember, recall                        facts that run out

Each step is one round trip, all or nothing, and is never half seen by another process. None
switches greenlets but those of a store in the network. Names are made by the caller; a name in one
step has nothing to do with the same name in another.

What a dead worker has taken runs out by itself: windows forget after a minute, places and facts
after the time they were given. Time is the store's own, one clock for all who share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

WINDOW_S: Final = 60
"""The length of a window. It is counted in whole seconds and looks back over a second more, so
that in *any* sixty seconds no more than the limit starts."""

HELD_S: Final = 45.0
"""How long a mark of a lasting claim stays without `renew`."""


class Claim(NamedTuple):
    """`amount` of what the window `name` lets through in a minute; `limit` 0: counted only.

    `lasting`: it counts from `take` until it is settled instead, however long that is. Such names
    are other names than those of windows. Within one choice each name is claimed once.
    """

    name: str
    amount: int
    limit: int = 0
    lasting: bool = False


class Taken(NamedTuple):
    """Claims that are counted."""

    choice: int
    """Which of the choices it was."""
    claims: tuple[Claim, ...]
    second: int
    """The second of the store in which they count."""
    is_local: bool = False
    """Counted by this process alone, because the store was away (`relay.state.shared`)."""


@dataclass(frozen=True, slots=True)
class Full:
    """No choice has room. `wait_s`: until the first of them may have it, up to a second more."""

    wait_s: float


class Bound(NamedTuple):
    """No more than `left` of a window starts before `until`, in Unix seconds of the store."""

    left: int
    until: float


class Room(NamedTuple):
    """What a choice of claims would meet."""

    wait_s: float
    """Until it may have room, up to a second more; 0: it has."""
    used: tuple[float, int, int]
    """By which `take(by_room=True)` orders choices with room, the smallest first."""


class Load(NamedTuple):
    """What lasting claims by one name amount to."""

    held: int
    taken_at: float
    """When the last one was taken, in Unix seconds of the store; 0 if there was none."""


class Looked(NamedTuple):
    """Records at one moment."""

    now: float
    """The store's Unix seconds."""
    records: list[bytes | None]


class StoreAway(Exception):
    """The store does not answer. Whoever asked goes on without (behaviour 9.8)."""


class Store(Protocol):
    """The steps. Each may raise `StoreAway`; then nothing is known to have happened."""

    @property
    def waits(self) -> bool:
        """A step may wait for a network, and others run meanwhile."""
        ...

    def take(self, choices: Sequence[Sequence[Claim]], *, by_room: bool = False) -> Taken | Full:
        """Count the claims of the first choice of which every window has room.

        A claim that is larger than its limit has room in an empty window (behaviour 9.3).

        `by_room`: of all choices with room, the one with the greatest free share. A choice's share
        is the smallest of (room left / limit) over its windows with a limit, 1 if it has none; what
        a bound leaves is room, too. Ties go to the least counted by lasting claims, then by the
        first claim, then to the first.
        """
        ...

    def rooms(self, choices: Sequence[Sequence[Claim]]) -> list[Room]:
        """What `take` would find; nothing is counted."""
        ...

    def settle(
        self, taken: Taken, amounts: Sequence[int], look: Sequence[str] = ()
    ) -> list[bytes | None]:
        """Put `amounts` in the place of what `taken` claimed, claim by claim.

        Returns the records by the names `look`, as they are then: an exchange that ends needs both.

        They count in the second in which it was taken; after a minute it makes no difference. A
        lasting claim is settled once, with 0; a second time would free what others hold.
        """
        ...

    def bound(self, bounds: Mapping[str, Bound]) -> None:
        """Let no more through these windows than said, beside what their limits say.

        A bound takes the place of an earlier one, unless that holds for as long and leaves less:
        then it comes of an older answer. It lasts for a week at most; one that is over is none.
        What is claimed afterwards is taken off it, and settled with it from the next second on. A
        claim larger than its limit has room, in an empty window, while anything is left.
        """
        ...

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """One of `limit` places: its token, None when all are taken. Freed after `ttl_s`."""
        ...

    def held(self, name: str) -> int:
        """How many places are taken."""
        ...

    def let_go(self, name: str, token: str) -> None:
        """Free a place. A token that has run out changes nothing."""
        ...

    def renew(
        self, lasting: Mapping[str, int], places: Sequence[tuple[str, str]], ttl_s: float
    ) -> None:
        """Let the lasting claims of this process by these names amount to so much, and last for
        `ttl_s` from now, also where they had run out; a sum of 0 or less is none.

        Places, by name and token, last as long; one that has run out stays so.
        """
        ...

    def count(self, name: str, step: int = 1, within: str = "") -> int:
        """Add to a counter, from 0; what it said before.

        It begins anew when `within` is not what it was the last time. A step of 0 only looks: what
        it would begin with, and nothing is changed.
        """
        ...

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """Set a record to `new` (None: remove it) if it is `old`; what it is now.

        The caller has won when that is `new`; of two with the same `new` both have, so whoever must
        be the only one puts a mark of its own into the record.
        """
        ...

    def look(self, names: Sequence[str]) -> Looked:
        """The records by these names, as `swap` has left them, and the time."""
        ...

    def loads(self, names: Sequence[str]) -> list[Load]:
        """What lasting claims by these names amount to."""
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
