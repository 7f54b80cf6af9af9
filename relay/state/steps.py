"""Steps: the store's steps over any table of records that can be changed in one transaction.

The memory and LMDB stores differ in their table alone. Redis has the same steps as Lua.

    w:NAME   a window            p:NAME   places: token and end, one after the other
    c:NAME   a counter           t:NAME   the last token of these places
    f:NAME   a fact              s:NAME   a record that is swapped
"""

import struct
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from relay.state.store import WINDOW_S, Claim, Full, Taken
from relay.state.window import CELLS, Window

_COUNTER: Final = struct.Struct("<q")
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

    def begin(self, *, write: bool) -> AbstractContextManager[Table]:
        """Open a transaction. Raises: `StoreAway`."""
        raise NotImplementedError

    def take(self, choices: Sequence[Sequence[Claim]]) -> Taken | Full:
        """As `Store.take`."""
        with self.begin(write=True) as table:
            second = int(table.now())
            waits_s: list[int] = []
            for number, claims in enumerate(choices):
                windows = [_window(table, claim.name, second) for claim in claims]
                wait_s = _wait_s(claims, windows)
                if not wait_s:
                    for claim, window in zip(claims, windows, strict=True):
                        window.add(claim.amount, window.second)
                        _keep(table, claim.name, window)
                    return Taken(number, tuple(claims), second)
                waits_s.append(wait_s)
        return Full(float(min(waits_s, default=WINDOW_S)))

    def settle(self, taken: Taken, amounts: Sequence[int]) -> None:
        """As `Store.settle`."""
        changes = [
            (claim.name, amount - claim.amount)
            for claim, amount in zip(taken.claims, amounts, strict=True)
            if amount != claim.amount
        ]
        if not changes:
            return
        with self.begin(write=True) as table:
            second = int(table.now())
            if second - taken.second >= CELLS:
                return
            for name, change in changes:
                window = _window(table, name, second)
                window.add(change, taken.second)
                _keep(table, name, window)

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

    def count(self, name: str, step: int = 1) -> int:
        """As `Store.count`."""
        with self.begin(write=True) as table:
            before = _number(table.get(f"c:{name}"))
            table.put(f"c:{name}", _COUNTER.pack(before + step), _LONG_S)
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


def _window(table: Table, name: str, second: int) -> Window:
    return Window(table.get(f"w:{name}"), second)


def _keep(table: Table, name: str, window: Window) -> None:
    table.put(f"w:{name}", window.record(), CELLS)


def _wait_s(claims: Sequence[Claim], windows: Sequence[Window]) -> int:
    """0 when there is room for all; else until there may be."""
    return max(
        (
            window.wait_s(claim.amount, claim.limit)
            for claim, window in zip(claims, windows, strict=True)
            if not window.has_room(claim.amount, claim.limit)
        ),
        default=0,
    )


def _number(record: bytes | None) -> int:
    number: int = _COUNTER.unpack(record)[0] if record else 0
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
