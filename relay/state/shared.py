"""Shared: the store, and this process's own counting while the store is away (behaviour 9.8).

    step ──► store ──► answer
               └ StoreAway ──► the same step in memory, for this process alone

Limits fall open that way, never shut: traffic flows, each process keeps to the limits for itself,
and it is said once, when that begins and when it ends. What was taken from one is settled there and
nowhere else; what the store had lent when it went away runs out by itself.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, ParamSpec, TypeVar

from relay.clock import Clock, SystemClock
from relay.state.memory import MemoryStore
from relay.state.store import Bound, Claim, Full, Load, Looked, Room, Store, StoreAway, Taken

log = logging.getLogger("relay.state")

_LOCAL: Final = "local:"
# A store may answer what is read and not what is written: that is not said anew each time.
_SETTLED_S: Final = 1.0

P = ParamSpec("P")
R = TypeVar("R")


class SharedStore:
    """A `Store` that never raises `StoreAway`. Owns the store it is given."""

    def __init__(
        self, store: Store, *, settled_s: float = _SETTLED_S, clock: Clock | None = None
    ) -> None:
        """`settled_s`: how long it must have answered before it is said to be back."""
        self._store = store
        self._settled_s = settled_s
        self._clock = clock or SystemClock()
        self._is_said = False
        self._away_at = 0.0
        self._local = MemoryStore()
        self.is_degraded = False
        """The last step was this process's alone."""
        self.degraded_steps = 0
        """How many were."""

    @property
    def waits(self) -> bool:
        """As `Store.waits`."""
        return self._store.waits

    def take(self, choices: Sequence[Sequence[Claim]], *, by_room: bool = False) -> Taken | Full:
        """As `Store.take`; says in `Taken.is_local` where it counts."""
        try:
            found = self._store.take(choices, by_room=by_room)
        except StoreAway as away:
            self._degraded(away)
            local = self._local.take(choices, by_room=by_room)
            return local if isinstance(local, Full) else local._replace(is_local=True)
        self._answered()
        return found

    def rooms(self, choices: Sequence[Sequence[Claim]]) -> list[Room]:
        """As `Store.rooms`."""
        return self._either(self._store.rooms, self._local.rooms, choices)

    def settle(
        self, taken: Taken, amounts: Sequence[int], look: Sequence[str] = ()
    ) -> list[bytes | None]:
        """As `Store.settle`."""
        if taken.is_local:
            self._local.settle(taken, amounts)
            return self.look(look).records if look else []
        try:
            return self._store.settle(taken, amounts, look)
        except StoreAway as away:  # it counts as it was claimed, and runs out
            self._degraded(away)
            return self._local.look(look).records

    def bound(self, bounds: Mapping[str, Bound]) -> None:
        """As `Store.bound`."""
        self._either(self._store.bound, self._local.bound, bounds)

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """As `Store.hold`."""
        try:
            token = self._store.hold(name, limit, ttl_s)
        except StoreAway as away:
            self._degraded(away)
            local = self._local.hold(name, limit, ttl_s)
            return local and f"{_LOCAL}{local}"
        self._answered()
        return token

    def held(self, name: str) -> int:
        """As `Store.held`."""
        return self._either(self._store.held, self._local.held, name)

    def let_go(self, name: str, token: str) -> None:
        """As `Store.let_go`."""
        if token.startswith(_LOCAL):
            self._local.let_go(name, token.removeprefix(_LOCAL))
            return
        try:
            self._store.let_go(name, token)
        except StoreAway as away:
            self._degraded(away)

    def renew(
        self, lasting: Mapping[str, int], places: Sequence[tuple[str, str]], ttl_s: float
    ) -> None:
        """As `Store.renew`; each place where it was lent.

        What this process holds by itself goes on counting there, and the store is told the rest:
        it would keep for too long what is settled elsewhere.
        """
        own = [load.held for load in self._local.loads(list(lasting))]
        kept = {name: held for name, held in zip(lasting, own, strict=True) if held}
        local = [
            (name, token.removeprefix(_LOCAL)) for name, token in places if token.startswith(_LOCAL)
        ]
        self._local.renew(kept, local, ttl_s)
        rest = {name: amount - kept.get(name, 0) for name, amount in lasting.items()}
        lent = [place for place in places if not place[1].startswith(_LOCAL)]
        try:
            self._store.renew(rest, lent, ttl_s)
        except StoreAway as away:
            self._degraded(away)

    def count(self, name: str, step: int = 1, within: str = "") -> int:
        """As `Store.count`."""
        return self._either(self._store.count, self._local.count, name, step, within)

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """As `Store.swap`. A record of the one may meet the other: who loses looks again."""
        return self._either(self._store.swap, self._local.swap, name, old, new)

    def look(self, names: Sequence[str]) -> Looked:
        """As `Store.look`."""
        try:
            found = self._store.look(names)
        except StoreAway as away:
            self._degraded(away)
            return self._local.look(names)
        if self._is_said:
            self._answered()
        return found

    def loads(self, names: Sequence[str]) -> list[Load]:
        """As `Store.loads`."""
        return self._either(self._store.loads, self._local.loads, names)

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        """As `Store.remember`."""
        self._either(self._store.remember, self._local.remember, facts, ttl_s)

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Store.recall`."""
        return self._either(self._store.recall, self._local.recall, names)

    def now(self) -> float:
        """As `Store.now`."""
        return self._either(self._store.now, self._local.now)

    def answers(self) -> bool:
        """Ask the store itself whether it is there."""
        try:
            self._store.now()
        except StoreAway as away:
            self._degraded(away)
            return False
        self._answered()
        return True

    def close(self) -> None:
        """As `Store.close`."""
        self._store.close()

    def _either(
        self, step: Callable[P, R], local: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        try:
            found = step(*args, **kwargs)
        except StoreAway as away:
            self._degraded(away)
            return local(*args, **kwargs)
        self._answered()
        return found

    def _degraded(self, away: StoreAway) -> None:
        self.degraded_steps += 1
        self.is_degraded = True
        self._away_at = self._clock.monotonic()
        if not self._is_said:
            self._is_said = True
            log.warning(
                "state degraded: each process counts for itself",
                extra={"fields": {"reason": str(away)}},
            )

    def _answered(self) -> None:
        self.is_degraded = False
        if self._is_said and self._clock.monotonic() - self._away_at >= self._settled_s:
            self._is_said = False
            fields = {"degraded_steps": self.degraded_steps}
            log.info("state is shared again", extra={"fields": fields})
