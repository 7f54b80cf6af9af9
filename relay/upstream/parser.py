"""An HTTP/1.1 response, parsed as it arrives: fed bytes, holds no socket.

llhttp (through httptools) does the parsing; here stands what it leaves open: interim responses are
skipped, a body that ends with the connection ends properly, bytes after the end forbid reuse, and
nothing without progress is read for ever.
"""

from typing import Final

import httptools

from relay.errors import UpstreamBroken

# The longest run of bytes without a byte of body: header block (interim responses included), chunk
# extensions, trailers. Real header blocks are under 8 KiB; to within one read.
MAX_HEAD_BYTES: Final = 64 << 10

_VERSIONS: Final = ("1.1", "1.0")
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200
_FIRST_INTERIM: Final = 100
_NO_BODY: Final = frozenset((204, 304))


class ResponseParser:
    """One response. `bodyless`: it answers `HEAD`, so its length fields promise nothing."""

    __slots__ = (
        "_bodyless",
        "_chunks",
        "_fault",
        "_has_data",
        "_has_excess",
        "_in_chunk",
        "_interim",
        "_keeps_alive",
        "_parser",
        "_until_eof",
        "_without_body",
        "at_border",
        "has_head",
        "headers",
        "is_complete",
        "status",
    )

    def __init__(self, *, bodyless: bool = False) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.has_head = False
        self.is_complete = False
        self.at_border = False
        """The body comes in chunks, and the next byte is the first of a chunk."""
        self._in_chunk = True
        self._has_data = False  # the last chunk has none
        self._bodyless = bodyless
        self._chunks: list[bytes] = []
        self._fault = ""
        self._has_excess = False
        self._interim = False
        self._keeps_alive = False
        self._until_eof = False
        self._without_body = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    @property
    def is_reusable(self) -> bool:
        """Whether the connection stands exactly at the end of this response, and stays open."""
        return self.is_complete and self._keeps_alive and not self._has_excess

    @property
    def is_broken(self) -> bool:
        """Whether there is no use in reading on."""
        return bool(self._fault)

    def feed(self, data: bytes) -> None:
        """Take what arrived, not empty.

        Raises: `UpstreamBroken` when it is no HTTP/1.1 response, or goes on without an end. After
        the headers `take` raises it, so that what came before the fault is not lost.
        """
        if self._parser is None:
            self._has_excess = True
            return
        held = len(self._chunks)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._has_excess = True
            self._fault = self._fault or ("" if self.is_complete else str(error))
        # Bytes after a whole chunk that end no line open the size of the next.
        self.at_border = not self._in_chunk and data.endswith(b"\r\n")
        if len(self._chunks) > held:
            self._without_body = 0
        elif not self.is_complete:
            self._without_body += len(data)
            if self._without_body > MAX_HEAD_BYTES:
                what = "no body" if self.has_head else "no end of the response headers"
                self._fault = self._fault or f"{what} within {MAX_HEAD_BYTES} bytes"
        if self._fault and not self.has_head:
            raise UpstreamBroken(f"malformed response: {self._fault}")

    def feed_eof(self) -> None:
        """The upstream closed its side.

        Raises: `UpstreamBroken` when more was announced.
        """
        if self.is_complete:
            return
        if not (self.has_head and self._until_eof):
            raise UpstreamBroken("the response ended before its announced end")
        self.is_complete = True

    def take(self) -> bytes:
        """The body bytes that arrived since the last call.

        Raises: `UpstreamBroken` when there are none, and what followed them was malformed.
        """
        chunks = self._chunks
        if not chunks:
            if self._fault:
                raise UpstreamBroken(f"malformed response: {self._fault}")
            return b""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return body

    def drop(self) -> None:
        """Let go of the C parser: it and this object hold each other. What arrived stays."""
        self._parser = None

    # What follows is called by the C parser. Nothing raises in it: faults are kept for `feed`.

    def on_message_begin(self) -> None:
        """Bytes after the end of the response are a response nobody asked for."""
        self._has_excess = self.is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer, which is dropped."""
        if not self.has_head:
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        """The head of an interim response, or of the response."""
        if self._parser is None or self.has_head:
            return
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL:
            self._interim = True
            self.headers.clear()
            if status == _SWITCHING_PROTOCOLS or status < _FIRST_INTERIM:
                self._fault = f"status {status} was not asked for"
            return
        if self._parser.get_http_version() not in _VERSIONS:
            self._fault = "neither HTTP/1.1 nor HTTP/1.0"
        self.status = status
        self._frame()
        self.has_head = not self._fault

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.is_complete:
            self._has_excess = True
        else:
            self._chunks.append(data)
            self._has_data = True

    def on_chunk_header(self) -> None:
        """The size of a chunk is read."""
        self._in_chunk = True
        self._has_data = False

    def on_chunk_complete(self) -> None:
        """The line end after the data of a chunk, or the end of the body."""
        self._in_chunk = not self._has_data

    def on_message_complete(self) -> None:
        """The end of an interim response, or of the response."""
        if self._interim:
            self._interim = False
        elif self._parser is not None and not self.is_complete:
            self.is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()

    def _frame(self) -> None:
        if self._bodyless:
            # Never reused: after `HEAD` the C parser would take the next response for a body.
            self.is_complete = True
            return
        if self.status in _NO_BODY:
            return
        lengths = 0
        for name, value in self.headers:
            if name == "content-length":
                lengths += 1
            elif name == "transfer-encoding":
                lengths += 1
                if value.lower() != "chunked":
                    self._fault = "a transfer coding other than chunked"
        self._until_eof = not lengths
