"""SSE: cut a byte stream into server-sent events, for any chunk border.

    feed(b"event: ping\\nda") → []
    feed(b"ta: {}\\n\\nevent") → [b"event: ping\\ndata: {}\\n\\n"]

An event ends with the first empty line; a line ends with LF, CR or CRLF. An event is complete as
soon as its last byte *can* be the last: the LF of a CRLF that ends it opens the next one, where it
is an empty line of no meaning. So the joined events are the stream again (without a leading byte
order mark), and no border changes them.

Nothing here reads JSON, except `event_type` of an event without a name. Format:
https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from typing import Final

import msgspec

# The most we hold while looking for the end of an event. Deltas are a few hundred bytes; a
# thousand streams stuck at this limit still fit in 1 GiB.
MAX_KEPT_BYTES: Final = 1 << 20

# No event of the API comes near: the longest are signatures and encrypted search results.
MAX_EVENT_BYTES: Final = 32 << 20

_BOM: Final = b"\xef\xbb\xbf"
# Two line ends; CR and LF together are one, and one more follows its LF as it follows any.
_EVENT_END: Final = re.compile(rb"\n[\r\n]|\r\r")


class EventSplitter:
    """Collects the events of one stream. Longer ones than `MAX_KEPT_BYTES` are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._started = False
        self._passed_over = 0  # bytes of the open event that are no longer kept
        self.uncounted = 0
        """How many events were too long to keep."""
        self.oversized = False
        """An event was longer than `MAX_EVENT_BYTES`."""

    @property
    def at_boundary(self) -> bool:
        """Between two complete events: what a client gets next starts one."""
        if not self._rest:
            return True
        return not self._passed_over and not self._rest.strip(b"\r\n")

    @property
    def is_empty(self) -> bool:
        """Nothing at all is held, so a chunk that ends an event leaves it so."""
        return self._started and not self._rest

    @property
    def unfinished(self) -> bytes:
        """The open event as far as it has come; empty if it is too long to keep."""
        return b"" if self._passed_over else bytes(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that end in this chunk, raw, with the empty line that ends them."""
        if self.is_empty and b"\r" not in chunk and len(chunk) <= MAX_KEPT_BYTES:
            return self._split(chunk)
        return self._collect(chunk)

    def _split(self, chunk: bytes) -> list[bytes]:
        """The common case: nothing is held, and the only line end is LF."""
        parts = chunk.split(b"\n\n")
        self._rest += parts.pop()
        return [part + b"\n\n" for part in parts]

    def _collect(self, chunk: bytes) -> list[bytes]:
        rest = self._rest
        searched = max(0, len(rest) - 1)
        rest += chunk
        if not self._started and not self._start():
            return []
        events = []
        while found := _EVENT_END.search(rest, searched):
            end = found.end()
            length = self._passed_over + end
            self._measure(length)
            if length <= MAX_KEPT_BYTES:
                events.append(bytes(rest[:end]))
            else:
                self.uncounted += 1
            del rest[:end]
            self._passed_over = searched = 0
        self._bound()
        return events

    def _start(self) -> bool:
        """Drop a byte order mark; False while it may still be one."""
        rest = self._rest
        if len(rest) < len(_BOM) and _BOM.startswith(rest):
            return False
        self._started = True
        if rest.startswith(_BOM):
            del rest[: len(_BOM)]
        return True

    def _bound(self) -> None:
        """Forget an event that is too long, but for the byte its end may begin with."""
        rest = self._rest
        if self._passed_over or len(rest) > MAX_KEPT_BYTES:
            forgotten = max(0, len(rest) - 1)
            self._passed_over += forgotten
            del rest[:forgotten]
        self._measure(self._passed_over + len(rest))

    def _measure(self, length: int) -> None:
        if length > MAX_EVENT_BYTES:
            self.oversized = True


class _Typed(msgspec.Struct):
    type: object = None


_TYPED: Final = msgspec.json.Decoder(_Typed)


def event_type(raw: bytes) -> str:
    """The name of an event; where none is given, the `type` its data has; else "".

    The client takes no event without a name, but others read only the data.
    """
    name = b""
    for line in raw.splitlines():
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
    if name:
        return name.decode("utf-8", "replace")
    try:
        found = _TYPED.decode(data(raw)).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def has_whole_data(raw: bytes) -> bool:
    """The data is complete JSON: only the empty line that ends the event may be missing."""
    try:
        _TYPED.decode(data(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def data(raw: bytes) -> bytes:
    """The data of an event: its `data:` lines, joined with LF."""
    lines = []
    for line in raw.splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines)
