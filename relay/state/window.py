"""Window: how much was counted in each of the last seconds, as a record of fixed length.

    second, counted, left, since, until | a cell for each second, in a ring

The cell of second `s` is `s % CELLS`. A sum over the current second and the sixty before it is
never less than what any sixty seconds hold. The sum is kept beside the cells, so that a step
touches only those of the seconds that have passed.

`left` is what a `Bound` of the second `since` lets through before `until`; below 0 where a claim
larger than its limit was let through.
"""

import struct
from typing import Final

from relay.state.store import WINDOW_S, Bound

CELLS: Final = WINDOW_S + 1
_HEAD: Final = struct.Struct("<qqqqd")
_CELL: Final = struct.Struct("<q")
_CELL_BYTES: Final = _CELL.size
_CELLS_AT: Final = _HEAD.size
_SIZE: Final = _HEAD.size + CELLS * _CELL.size
_NEW: Final = bytes(_SIZE)
# What an upstream says may be anything. So much fits into a record, and is exact in Lua.
_MOST: Final = 2**53
_LONGEST_S: Final = 7 * 86400.0


class Window:
    """One window at one second of the store."""

    __slots__ = ("_left", "_record", "_since", "_until", "counted", "second")

    second: int
    counted: int
    _left: int
    _until: float

    def __init__(self, record: bytes | None, second: int) -> None:
        """Read a record (None: a new window) and move on to `second`; it never moves back."""
        if record is None or len(record) != _SIZE:
            record = _NEW
        head = _HEAD.unpack_from(record)
        self.second, self.counted, self._left, self._since, self._until = head
        # Of the record's head nothing is read any more. Most windows are only looked at: a copy is
        # made where a cell changes.
        self._record: bytes | bytearray = record
        if second > self.second:
            self._move_to(second)

    def record(self) -> bytes:
        """The same as bytes."""
        head = _HEAD.pack(self.second, self.counted, self._left, self._since, self._until)
        return head + self._record[_CELLS_AT:]

    def lasts_s(self, now: float) -> float:
        """How long the record says anything."""
        return max(CELLS, self._until - now) if self._until else CELLS

    def bound(self, bound: Bound) -> None:
        """Let no more through than that; what an older answer said widens nothing.

        Answers come in another order than they were given in. Of those whose bound ends no later
        than the one that holds, only what leaves no more than that is believed.
        """
        left = min(max(bound.left, 0), _MOST)
        until = min(bound.until, self.second + _LONGEST_S)
        holds = self._until > self.second and self._until >= until
        if holds and left > max(self._left, 0):
            return
        self._left, self._since, self._until = left, self.second, until

    def has_room(self, amount: int, limit: int, now: float) -> bool:
        """Whether `amount` more stays within limit and bound; in an empty window anything does."""
        if limit > 0 and self.counted and self.counted + amount > limit:
            return False
        return not self._until > now or self._is_left(amount, limit)

    def share(self, limit: int, now: float) -> float:
        """Which part of the limit is left; 1 without a limit."""
        if limit <= 0:
            return 1.0
        room = limit - self.counted
        if self._until > now:
            room = min(room, max(self._left, 0))
        return room / limit

    def wait_s(self, amount: int, limit: int, now: float) -> float:
        """Seconds until there is room, if nothing more is counted."""
        wait_s = self._window_wait_s(amount, limit)
        if self._until > now and not self._is_left(amount, limit):
            return max(wait_s, self._until - now)
        return wait_s

    def add(self, amount: int) -> None:
        """Count `amount` now."""
        if self._until > self.second:
            self._left -= amount
        record = self._record = bytearray(self._record)
        place = _CELLS_AT + self.second % CELLS * _CELL_BYTES
        _CELL.pack_into(record, place, _CELL.unpack_from(record, place)[0] + amount)
        self.counted += amount

    def settle(self, change: int, second: int) -> None:
        """Count so much more, or less, in a second that still counts; it never holds below 0."""
        if second > self._since and self._until > self.second:
            self._left -= change
        if self.second - CELLS < second <= self.second:
            record = self._record = bytearray(self._record)
            place = _CELLS_AT + second % CELLS * _CELL_BYTES
            (before,) = _CELL.unpack_from(record, place)
            after = max(before + change, 0)
            _CELL.pack_into(record, place, after)
            self.counted += after - before

    def _is_left(self, amount: int, limit: int) -> bool:
        """Whether the bound leaves so much; it does not ask whether the window is empty."""
        return amount <= max(self._left, 0) or (0 < limit < amount and self._left > 0)

    def _window_wait_s(self, amount: int, limit: int) -> int:
        left = self.counted
        if limit <= 0 or not left or left + amount <= limit:
            return 0
        for age in range(CELLS, 0, -1):  # the oldest second runs out first
            if left + amount <= limit or not left:
                return CELLS - age
            place = _CELLS_AT + (self.second + 1 - age) % CELLS * _CELL_BYTES
            left -= _CELL.unpack_from(self._record, place)[0]
        return CELLS

    def _move_to(self, second: int) -> None:
        """Empty the cells of all seconds after `self.second`: one run in the ring, or two."""
        passed = second - self.second
        if passed >= CELLS:
            self._record, self.counted = _NEW, 0
        elif self.counted:
            first = (self.second + 1) % CELLS
            self._empty(first, min(first + passed, CELLS))
            if first + passed > CELLS:
                self._empty(0, first + passed - CELLS)
        self.second = second

    def _empty(self, first: int, end: int) -> None:
        start, stop = _CELLS_AT + first * _CELL_BYTES, _CELLS_AT + end * _CELL_BYTES
        cells, empty = self._record[start:stop], _NEW[start:stop]
        if cells != empty:
            self.counted -= sum(cell for (cell,) in _CELL.iter_unpack(cells))
            self._record = self._record[:start] + empty + self._record[stop:]
