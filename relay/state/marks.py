"""Marks: what lasting claims by one name amount to, each process with its own sum and its end.

    taken_at | holder, count, end | holder, count, end | …

A process says its sum again and again while it lives; what a dead one held runs out with it.
"""

import struct
from typing import Final

_HEAD: Final = struct.Struct("<d")
_MARK: Final = struct.Struct("<qqd")
# Nearly always one process holds something, or none does.
_ONE: Final = struct.Struct("<dqqd")
_ONE_BYTES: Final = _ONE.size
# Nobody knows when somebody ends; asking again so soon costs little.
_WAIT_S: Final = 1.0


class Marks:
    """The marks of one name that have not run out."""

    __slots__ = ("_held", "counted", "taken_at")

    def __init__(self, record: bytes | None, now: float) -> None:
        """Read a record; None, or one of a wrong length: nothing is held."""
        self._held: dict[int, tuple[int, float]] = {}
        self.counted = 0
        if not record or len(record) % _MARK.size != _HEAD.size:
            self.taken_at = 0.0  # of another version, too
        elif len(record) == _ONE_BYTES:
            self.taken_at, holder, count, end = _ONE.unpack(record)
            if end > now:
                self._held[holder] = count, end
                self.counted = count
        else:
            (self.taken_at,) = _HEAD.unpack_from(record)
            for holder, count, end in _MARK.iter_unpack(record[_HEAD.size :]):
                if end > now:
                    self._held[holder] = count, end
                    self.counted += count

    def record(self) -> bytes:
        """The same as bytes."""
        if len(self._held) == 1:
            ((holder, (count, end)),) = self._held.items()
            return _ONE.pack(self.taken_at, holder, count, end)
        record = _HEAD.pack(self.taken_at)
        for holder, (count, end) in self._held.items():
            record += _MARK.pack(holder, count, end)
        return record

    def has_room(self, amount: int, limit: int, _now: float) -> bool:
        """Whether `amount` more stays within the limit."""
        return limit <= 0 or self.counted + amount <= limit

    def wait_s(self, _amount: int, _limit: int, _now: float) -> float:
        """Seconds after which it is worth asking again."""
        return _WAIT_S

    def add(self, holder: int, amount: int, now: float, ttl_s: float) -> None:
        """Count `amount` more for this holder, and give all it has a new end."""
        count = self._held[holder][0] if holder in self._held else 0
        self._held[holder] = count + amount, now + ttl_s
        self.counted += amount
        self.taken_at = now

    def take_off(self, holder: int, amount: int) -> None:
        """Count less for it; what has run out is not there any more."""
        count, end = self._held.pop(holder, (0, 0.0))
        left = max(count - amount, 0)
        self.counted += left - count
        if left:
            self._held[holder] = left, end

    def renew(self, holder: int, amount: int, end: float) -> None:
        """Let what it holds be this, until then."""
        self.take_off(holder, self._held.get(holder, (0, 0.0))[0])
        if amount > 0:
            self._held[holder] = amount, end
            self.counted += amount
