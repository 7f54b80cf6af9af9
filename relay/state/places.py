"""Places: who holds one of so many, as a record.

the last token | token, end | token, end | …
"""

import struct
from typing import Final

_LAST: Final = struct.Struct("<Q")
_PLACE: Final = struct.Struct("<Qd")  # token, Unix seconds of its end


class Places:
    """The places of one name that have not run out."""

    __slots__ = ("_held", "_last")

    def __init__(self, record: bytes | None, now: float) -> None:
        """Read a record; None, or one of a wrong length: nobody holds any."""
        self._held: dict[str, float] = {}
        self._last = 0
        if record and len(record) % _PLACE.size == _LAST.size:
            (self._last,) = _LAST.unpack_from(record)
            for token, end in _PLACE.iter_unpack(record[_LAST.size :]):
                if end > now:
                    self._held[str(token)] = end

    def record(self) -> bytes:
        """The same as bytes."""
        record = _LAST.pack(self._last)
        for token, end in self._held.items():
            record += _PLACE.pack(int(token), end)
        return record

    @property
    def held(self) -> int:
        """How many are taken."""
        return len(self._held)

    def last_end(self) -> float:
        """When the last place is free again; 0 when all are."""
        return max(self._held.values(), default=0.0)

    def hold(self, limit: int, now: float, ttl_s: float) -> str | None:
        """A token, if fewer than `limit` are held."""
        if len(self._held) >= limit:
            return None
        # Not 1, 2, 3: a store that has lost its records must not give out again what somebody
        # still holds.
        self._last = max(self._last + 1, int(now * 1e6))
        token = str(self._last)
        self._held[token] = now + ttl_s
        return token

    def let_go(self, token: str) -> None:
        """Free it, if it is held."""
        self._held.pop(token, None)

    def renew(self, token: str, end: float) -> None:
        """Let it last until then, if it is held."""
        if token in self._held:
            self._held[token] = end
