"""Read one answer from a gateway: its status, the stamps in it, its length and its end.

Nothing is parsed for an event but its stamp. The end is found by the framing: so many bytes, the
last chunk, or the end of the connection. Fed with any pieces; each comes with the time it arrived.
"""

import re
from collections.abc import Sequence
from typing import Final

from bench.load import stamp

_HEAD_ENDS: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_SHOWN_BYTES: Final = 200
"""As much of a refusal as is worth showing."""


class Answer:
    """One answer, from its first byte to its end."""

    __slots__ = (
        "_buffer",
        "_end",
        "_is_chunked",
        "_left",
        "_rest",
        "closes",
        "events",
        "first_ns",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.events = 0
        self.first_ns = 0
        """When the first byte arrived; 0 = none yet."""
        self.closes = False
        """Whether the connection ends with it."""
        self._buffer = b""
        self._is_chunked = False
        self._left: int | None = None
        self._end = b""
        self._rest = b""

    def feed(self, data: bytes, arrived_ns: int) -> Sequence[int]:
        """Take a piece; the stamps that became whole with it."""
        if not self.status:
            data = self._begin(data, arrived_ns)
        if self.status and self.status != 200:
            self._buffer += data[:_SHOWN_BYTES]
        if self._left is not None:
            self._left -= len(data)
            return ()
        # The last seven bytes so far, to see the last chunk however it was cut.
        self._end = data[-7:] if len(data) >= 7 else (self._end + data)[-7:]
        if self._rest:
            data = self._rest + data
        found = stamp.find(data)
        self._rest = stamp.unfinished(data)
        self.events += len(found)
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the end has been read."""
        if self._left is not None:
            return self._left <= 0
        return self._is_chunked and self._end == _LAST_CHUNK

    @property
    def is_whole_at_close(self) -> bool:
        """Whether it would be whole if the connection ended now."""
        is_framed = self._is_chunked or self._left is not None
        return self.is_whole or (self.status > 0 and not is_framed)

    @property
    def refusal(self) -> str:
        """What an answer that is no success said, as far as it came."""
        text = self._buffer[:_SHOWN_BYTES].decode(errors="replace")
        return f"{self.status} {text}".strip()

    def _begin(self, data: bytes, arrived_ns: int) -> bytes:
        self.first_ns = self.first_ns or arrived_ns
        self._buffer += data
        head, ends, body = self._buffer.partition(_HEAD_ENDS)
        if not ends:
            return b""
        self._buffer, self._end = b"", b"\r\n"
        self.status = int(head[9:12])
        self.closes = _CLOSES.search(head) is not None
        self._is_chunked = _CHUNKED.search(head) is not None
        length = _LENGTH.search(head)
        if length and not self._is_chunked:
            self._left = int(length[1])
        return body
