"""Window: how much was counted in each of the last seconds, as a record of fixed length.

One cell a second, in a ring: the cell of second `s` is `s % CELLS`. A sum over the current second
and the sixty before it is never less than what any sixty seconds hold.
"""

import struct
from typing import Final

from relay.state.store import WINDOW_S

CELLS: Final = WINDOW_S + 1
_RECORD: Final = struct.Struct(f"<q{CELLS}q")


class Window:
    """One window at one second of the store."""

    __slots__ = ("_cells", "second")

    def __init__(self, record: bytes | None, second: int) -> None:
        """Read a record (None: a new window) and move on to `second`; it never moves back."""
        if record is None or len(record) != _RECORD.size:
            self.second, self._cells = second, [0] * CELLS
            return
        self.second, *self._cells = _RECORD.unpack(record)
        self._move_to(second)

    def record(self) -> bytes:
        """The same as bytes."""
        return _RECORD.pack(self.second, *self._cells)

    @property
    def counted(self) -> int:
        """What counts at this second."""
        return sum(self._cells)

    def has_room(self, amount: int, limit: int) -> bool:
        """Whether `amount` more stays within `limit`; in an empty window anything does."""
        counted = self.counted
        return limit <= 0 or counted + amount <= limit or counted == 0

    def wait_s(self, amount: int, limit: int) -> int:
        """Seconds until that is so, if nothing more is counted."""
        if limit <= 0:
            return 0
        left = self.counted
        for age in range(CELLS, 0, -1):  # the oldest second runs out first
            if left + amount <= limit or left == 0:
                return CELLS - age
            left -= self._cells[(self.second + 1 - age) % CELLS]
        return CELLS

    def add(self, amount: int, second: int) -> None:
        """Count `amount`, which may be negative, in a second that still counts; never below 0."""
        if self.second - CELLS < second <= self.second:
            cell = second % CELLS
            self._cells[cell] = max(self._cells[cell] + amount, 0)

    def _move_to(self, second: int) -> None:
        passed = second - self.second
        if passed <= 0:
            return
        for step in range(1, min(passed, CELLS) + 1):
            self._cells[(self.second + step) % CELLS] = 0
        self.second = second
