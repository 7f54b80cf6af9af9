"""Steps: the store's steps over any table of records that can be changed in one transaction.

The memory and LMDB stores differ in their table alone. Redis has the same steps as Lua.

    w:NAME   a window            p:NAME   places: the last token; token and end of each
    l:NAME   lasting claims      s:NAME   a record that is swapped
    c:NAME   a counter           f:NAME   a fact
"""

import math
import struct
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Final, Protocol

from relay.state.holder import THIS_PROCESS
from relay.state.marks import Marks
from relay.state.places import Places
from relay.state.store import HELD_S, WINDOW_S, Bound, Claim, Full, Load, Looked, Room, Taken
from relay.state.window import CELLS, Window

RECORD: Final = "s:"
"""What names of swapped records begin with."""

_COUNTER: Final = struct.Struct("<q")
_SET_BYTES: Final = 8
# Counters and records of names nobody uses any more: providers that left the configuration.
_LONG_S: Final = 7 * 86400.0

_Counts = list[tuple[str, int, int, Window | Marks]]
"""The name in the table, the amount, the limit, and what was found."""
_Found = tuple[int, _Counts | None, float]
"""Which choice, and what it adds to; or None, and the seconds to wait."""


class Table(Protocol):
    """Records by name, inside one transaction. What has run out is not there."""

    def get(self, name: str) -> bytes | None:
        """The record, if there is one."""
        ...

    def put(self, name: str, record: bytes, ttl_s: float) -> None:
        """Set it, for so long."""
        ...

    def remove(self, name: str) -> None:
        """Remove it, if it is there."""
        ...

    def now(self) -> float:
        """Unix seconds; never less than in an earlier transaction of any process."""
        ...


class Steps:
    """The steps of `Store` over transactions that `begin` opens.

    A transaction is done when its `with` ends, and undone when that raises.
    """

    waits = False
    """As `Store.waits`."""

    def __init__(self) -> None:
        self.holder = THIS_PROCESS
        """Who takes lasting claims."""

    def begin(self, *, write: bool) -> AbstractContextManager[Table]:
        """Open a transaction. Raises: `StoreAway`."""
        raise NotImplementedError

    def take(self, choices: Sequence[Sequence[Claim]], *, by_room: bool = False) -> Taken | Full:
        """As `Store.take`."""
        with self.begin(write=True) as table:
            now = table.now()
            choose = _best if by_room else _first
            choice, counts, wait_s = choose(table, choices, now)
            if counts is None:
                return Full(wait_s if choices else WINDOW_S)
            for name, amount, _, count in counts:
                if isinstance(count, Window):
                    count.add(amount)
                    table.put(name, count.record(), count.lasts_s(now))
                else:
                    count.add(self.holder.number, amount, now, HELD_S)
                    table.put(name, count.record(), _LONG_S)
        return Taken(choice, tuple(choices[choice]), int(now))

    def rooms(self, choices: Sequence[Sequence[Claim]]) -> list[Room]:
        """As `Store.rooms`."""
        with self.begin(write=False) as table:
            now = table.now()
            found = [_counts(table, claims, now) for claims in choices]
            return [Room(wait_s, _rank(counts, now)) for counts, wait_s in found]

    def settle(
        self, taken: Taken, amounts: Sequence[int], look: Sequence[str] = ()
    ) -> list[bytes | None]:
        """As `Store.settle`."""
        changes = []
        for claim, amount in zip(taken.claims, amounts, strict=True):
            if amount != claim.amount:
                changes.append((claim, amount - claim.amount))
        if not changes:
            return self.look(look).records if look else []
        with self.begin(write=True) as table:
            now = table.now()
            for claim, change in changes:
                if claim.lasting:
                    name = "l:" + claim.name
                    if record := table.get(name):
                        marks = Marks(record, now)
                        marks.take_off(self.holder.number, -change)
                        table.put(name, marks.record(), _LONG_S)
                elif now - taken.second < CELLS:
                    name = "w:" + claim.name
                    window = Window(table.get(name), int(now))
                    window.settle(change, taken.second)
                    table.put(name, window.record(), window.lasts_s(now))
            return [table.get("s:" + name) for name in look]

    def bound(self, bounds: Mapping[str, Bound]) -> None:
        """As `Store.bound`."""
        with self.begin(write=True) as table:
            now = table.now()
            for name, bound in bounds.items():
                if not bound.until > now:  # over, or no time at all
                    continue
                window = Window(table.get("w:" + name), int(now))
                window.bound(bound)
                table.put("w:" + name, window.record(), window.lasts_s(now))

    def renew(
        self, lasting: Mapping[str, int], places: Sequence[tuple[str, str]], ttl_s: float
    ) -> None:
        """As `Store.renew`."""
        if not lasting and not places:
            return
        with self.begin(write=True) as table:
            now = table.now()
            for name, amount in lasting.items():
                marks = Marks(table.get("l:" + name), now)
                marks.renew(self.holder.number, amount, now + ttl_s)
                table.put("l:" + name, marks.record(), _LONG_S)
            for name, token in places:
                if record := table.get("p:" + name):
                    found = Places(record, now)
                    found.renew(token, now + ttl_s)
                    _keep_places(table, name, found, now)

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """As `Store.hold`."""
        with self.begin(write=True) as table:
            now = table.now()
            places = Places(table.get("p:" + name), now)
            token = places.hold(limit, now, ttl_s)
            if token is not None:
                _keep_places(table, name, places, now)
        return token

    def held(self, name: str) -> int:
        """As `Store.held`."""
        with self.begin(write=False) as table:
            return Places(table.get("p:" + name), table.now()).held

    def let_go(self, name: str, token: str) -> None:
        """As `Store.let_go`."""
        with self.begin(write=True) as table:
            if record := table.get("p:" + name):
                now = table.now()
                places = Places(record, now)
                places.let_go(token)
                _keep_places(table, name, places, now)

    def count(self, name: str, step: int = 1, within: str = "") -> int:
        """As `Store.count`."""
        with self.begin(write=bool(step)) as table:
            record = table.get("c:" + name) or b""
            inside = _digest(within)
            before = 0
            if len(record) == _COUNTER.size + len(inside) and record.endswith(inside):
                (before,) = _COUNTER.unpack_from(record)
            if step:
                table.put("c:" + name, _COUNTER.pack(before + step) + inside, _LONG_S)
        return before

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """As `Store.swap`."""
        with self.begin(write=True) as table:
            found = table.get(RECORD + name)
            if found != old:
                return found
            if new is None:
                table.remove(RECORD + name)
            else:
                table.put(RECORD + name, new, _LONG_S)
        return new

    def look(self, names: Sequence[str]) -> Looked:
        """As `Store.look`."""
        with self.begin(write=False) as table:
            return Looked(table.now(), [table.get(RECORD + name) for name in names])

    def loads(self, names: Sequence[str]) -> list[Load]:
        """As `Store.loads`."""
        with self.begin(write=False) as table:
            now = table.now()
            marks = [Marks(table.get("l:" + name), now) for name in names]
        return [Load(each.counted, each.taken_at) for each in marks]

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        """As `Store.remember`."""
        with self.begin(write=True) as table:
            for name, value in facts.items():
                table.put("f:" + name, value, ttl_s)

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Store.recall`."""
        with self.begin(write=False) as table:
            return [table.get("f:" + name) for name in names]

    def now(self) -> float:
        """As `Store.now`."""
        with self.begin(write=False) as table:
            return table.now()


def _first(table: Table, choices: Sequence[Sequence[Claim]], now: float) -> _Found:
    shortest_s = math.inf
    for number, claims in enumerate(choices):
        counts, wait_s = _counts(table, claims, now)
        if not wait_s:
            return number, counts, 0.0
        shortest_s = min(shortest_s, wait_s)
    return 0, None, shortest_s


def _best(table: Table, choices: Sequence[Sequence[Claim]], now: float) -> _Found:
    shortest_s = math.inf
    found: _Counts | None = None
    best, first_rank = 0, (0.0, 0, 0)
    for number, claims in enumerate(choices):
        counts, wait_s = _counts(table, claims, now)
        if wait_s:
            shortest_s = min(shortest_s, wait_s)
            continue
        rank = _rank(counts, now)
        if found is None or rank < first_rank:
            best, found, first_rank = number, counts, rank
    return best, found, shortest_s


def _rank(counts: _Counts, now: float) -> tuple[float, int, int]:
    """The smallest comes first."""
    share, lasting = 1.0, 0
    for _, _, limit, count in counts:
        if not isinstance(count, Window):
            lasting += count.counted
        elif limit > 0:
            share = min(share, count.share(limit, now))
    return -share, lasting, counts[0][3].counted if counts else 0


def _counts(table: Table, claims: Sequence[Claim], now: float) -> tuple[_Counts, float]:
    """What a choice's claims add to, and the seconds until there is room for all: 0 if there is."""
    counts: _Counts = []
    longest_s, second = 0.0, int(now)
    for claim in claims:
        name, amount, limit, lasting = claim
        count: Window | Marks
        if lasting:
            name = "l:" + name
            count = Marks(table.get(name), now)
        else:
            name = "w:" + name
            count = Window(table.get(name), second)
        if not count.has_room(amount, limit, now):
            longest_s = max(longest_s, count.wait_s(amount, limit, now))
        counts.append((name, amount, limit, count))
    return counts, longest_s


def _digest(within: str) -> bytes:
    if not within:
        return b""
    return blake2b(within.encode("utf-8", "surrogatepass"), digest_size=_SET_BYTES).digest()


def _keep_places(table: Table, name: str, places: Places, now: float) -> None:
    table.put("p:" + name, places.record(), max(_LONG_S, places.last_end() - now))
