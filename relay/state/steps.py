"""Steps: the store's steps over any table of records that can be changed in one transaction.

The memory and LMDB stores differ in their table alone. Redis has the same steps as Lua.

    w:NAME   a window            p:NAME   places: token and end, one after the other
    l:NAME   lasting claims      t:NAME   the last token of these places
    c:NAME   a counter           s:NAME   a record that is swapped
    f:NAME   a fact
"""

import math
import struct
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from relay.state.holder import THIS_PROCESS
from relay.state.marks import Marks
from relay.state.store import HELD_S, WINDOW_S, Bound, Claim, Full, Load, Looked, Taken
from relay.state.window import CELLS, Window

_COUNTER: Final = struct.Struct("<q")
_SET_BYTES: Final = 8
_PLACE: Final = struct.Struct("<Qd")  # token, Unix seconds of its end
# Counters and records of names nobody uses any more: providers that left the configuration.
_LONG_S: Final = 7 * 86400.0


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
            found = _best(table, choices, now) if by_room else _first(table, choices, now)
            if not isinstance(found, _Found):
                return Full(found)
            claims, counts = choices[found.choice], found.counts
            for claim, count in zip(claims, counts, strict=True):
                if isinstance(count, Window):
                    count.add(claim.amount)
                    table.put(f"w:{claim.name}", count.record(), count.lasts_s(now))
                else:
                    count.add(self.holder.number, claim.amount, now, HELD_S)
                    table.put(f"l:{claim.name}", count.record(), _LONG_S)
        return Taken(found.choice, tuple(claims), int(now))

    def settle(self, taken: Taken, amounts: Sequence[int]) -> None:
        """As `Store.settle`."""
        changes = [
            (claim, amount - claim.amount)
            for claim, amount in zip(taken.claims, amounts, strict=True)
            if amount != claim.amount
        ]
        if not changes:
            return
        with self.begin(write=True) as table:
            now = table.now()
            for claim, change in changes:
                if claim.lasting:
                    if record := table.get(f"l:{claim.name}"):
                        marks = Marks(record, now)
                        marks.take_off(self.holder.number, -change)
                        table.put(f"l:{claim.name}", marks.record(), _LONG_S)
                elif now - taken.second < CELLS:
                    window = Window(table.get(f"w:{claim.name}"), int(now))
                    window.settle(change, taken.second)
                    table.put(f"w:{claim.name}", window.record(), window.lasts_s(now))

    def bound(self, bounds: Mapping[str, Bound]) -> None:
        """As `Store.bound`."""
        with self.begin(write=True) as table:
            now = table.now()
            for name, bound in bounds.items():
                window = Window(table.get(f"w:{name}"), int(now))
                window.bound(bound)
                table.put(f"w:{name}", window.record(), window.lasts_s(now))

    def renew(self, lasting: Sequence[str], places: Mapping[str, str], ttl_s: float) -> None:
        """As `Store.renew`."""
        with self.begin(write=True) as table:
            now = table.now()
            for name in lasting:
                if record := table.get(f"l:{name}"):
                    marks = Marks(record, now)
                    marks.renew(self.holder.number, now + ttl_s)
                    table.put(f"l:{name}", marks.record(), _LONG_S)
            for name, token in places.items():
                kept = [
                    (each, now + ttl_s if str(each) == token else end)
                    for each, end in _places(table, name, now)
                ]
                _put_places(table, name, kept, now)

    def hold(self, name: str, limit: int, ttl_s: float) -> str | None:
        """As `Store.hold`."""
        with self.begin(write=True) as table:
            now = table.now()
            places = _places(table, name, now)
            if len(places) >= limit:
                return None
            # Not 1, 2, 3: a store that has lost its records must not give out again what somebody
            # still holds.
            token = max(_number(table.get(f"t:{name}")) + 1, int(now * 1e6))
            places.append((token, now + ttl_s))
            table.put(f"t:{name}", _COUNTER.pack(token), _LONG_S)
            _put_places(table, name, places, now)
        return str(token)

    def let_go(self, name: str, token: str) -> None:
        """As `Store.let_go`."""
        with self.begin(write=True) as table:
            now = table.now()
            places = [each for each in _places(table, name, now) if str(each[0]) != token]
            _put_places(table, name, places, now)

    def count(self, name: str, step: int = 1, within: str = "") -> int:
        """As `Store.count`."""
        with self.begin(write=True) as table:
            record = table.get(f"c:{name}") or b""
            inside = _digest(within)
            before = _number(record) if record[_COUNTER.size :] == inside else 0
            if step or record[_COUNTER.size :] != inside:
                table.put(f"c:{name}", _COUNTER.pack(before + step) + inside, _LONG_S)
        return before

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bytes | None:
        """As `Store.swap`."""
        with self.begin(write=True) as table:
            found = table.get(f"s:{name}")
            if found != old:
                return found
            if new is None:
                table.remove(f"s:{name}")
            else:
                table.put(f"s:{name}", new, _LONG_S)
        return new

    def look(self, names: Sequence[str]) -> Looked:
        """As `Store.look`."""
        with self.begin(write=False) as table:
            return Looked(table.now(), [table.get(f"s:{name}") for name in names])

    def loads(self, names: Sequence[str]) -> list[Load]:
        """As `Store.loads`."""
        with self.begin(write=False) as table:
            now = table.now()
            marks = [Marks(table.get(f"l:{name}"), now) for name in names]
        return [Load(each.counted, each.taken_at) for each in marks]

    def remember(self, facts: Mapping[str, bytes], ttl_s: float) -> None:
        """As `Store.remember`."""
        with self.begin(write=True) as table:
            for name, value in facts.items():
                table.put(f"f:{name}", value, ttl_s)

    def recall(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Store.recall`."""
        with self.begin(write=False) as table:
            return [table.get(f"f:{name}") for name in names]

    def now(self) -> float:
        """As `Store.now`."""
        with self.begin(write=False) as table:
            return table.now()


class _Found(NamedTuple):
    choice: int
    counts: list[Window | Marks]


def _first(table: Table, choices: Sequence[Sequence[Claim]], now: float) -> _Found | float:
    """The first choice with room, or the seconds until there may be one."""
    shortest_s = math.inf
    for number, claims in enumerate(choices):
        counts = [_counts(table, claim, now) for claim in claims]
        wait_s = _wait_s(claims, counts, now)
        if not wait_s:
            return _Found(number, counts)
        shortest_s = min(shortest_s, wait_s)
    return WINDOW_S if math.isinf(shortest_s) else shortest_s


def _best(table: Table, choices: Sequence[Sequence[Claim]], now: float) -> _Found | float:
    """The choice with most room, or the seconds until one may have some."""
    shortest_s = math.inf
    found: tuple[tuple[float, int, int, int], list[Window | Marks]] | None = None
    for number, claims in enumerate(choices):
        counts = [_counts(table, claim, now) for claim in claims]
        wait_s = _wait_s(claims, counts, now)
        if wait_s:
            shortest_s = min(shortest_s, wait_s)
            continue
        rank = (*_rank(claims, counts, now), number)
        if found is None or rank < found[0]:
            found = rank, counts
    if found:
        return _Found(found[0][-1], found[1])
    return WINDOW_S if math.isinf(shortest_s) else shortest_s


def _rank(
    claims: Sequence[Claim], counts: Sequence[Window | Marks], now: float
) -> tuple[float, int, int]:
    """The smallest comes first."""
    share, lasting = 1.0, 0
    for claim, count in zip(claims, counts, strict=True):
        if isinstance(count, Window):
            share = min(share, count.share(claim.limit, now))
        else:
            lasting += count.counted
    return -share, lasting, counts[0].counted if counts else 0


def _counts(table: Table, claim: Claim, now: float) -> Window | Marks:
    if claim.lasting:
        return Marks(table.get(f"l:{claim.name}"), now)
    return Window(table.get(f"w:{claim.name}"), int(now))


def _wait_s(claims: Sequence[Claim], counts: Sequence[Window | Marks], now: float) -> float:
    """0 when there is room for all; else until there may be."""
    longest_s = 0.0
    for claim, count in zip(claims, counts, strict=True):
        if not count.has_room(claim.amount, claim.limit, now):
            longest_s = max(longest_s, count.wait_s(claim.amount, claim.limit, now))
    return longest_s


def _digest(within: str) -> bytes:
    if not within:
        return b""
    return blake2b(within.encode("utf-8", "surrogatepass"), digest_size=_SET_BYTES).digest()


def _number(record: bytes | None) -> int:
    number: int = _COUNTER.unpack_from(record)[0] if record else 0
    return number


def _places(table: Table, name: str, now: float) -> list[tuple[int, float]]:
    record = table.get(f"p:{name}") or b""
    return [(token, end) for token, end in _PLACE.iter_unpack(record) if end > now]


def _put_places(table: Table, name: str, places: Sequence[tuple[int, float]], now: float) -> None:
    if not places:
        table.remove(f"p:{name}")
        return
    record = b"".join(_PLACE.pack(token, end) for token, end in places)
    table.put(f"p:{name}", record, max(end for _, end in places) - now)
