"""Connection: a client that sees what is on the wire — framing, order, timing, and how it ends.

`Response` reads its body on demand. `Piece` is one chunk of a chunked body, or what one `recv`
brought of any other.
"""

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

_LIMIT_S: Final = 15.0
MSG: Final = b'{"model":"claude-x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
"""The request of behaviour, appendix A."""
STREAM_MSG: Final = MSG[:-1] + b',"stream":true}'

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class Cut(Exception):
    """The connection ended before the message did."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a body and when they came (`time.monotonic`)."""

    at: float
    data: bytes


@dataclass(slots=True)
class Response:
    """One response; its body comes from `pieces`, or at once from `content`."""

    connection: "Connection"
    status: int
    headers: list[tuple[str, str]]
    bodyless: bool
    came: list[Piece] = field(default_factory=list)
    """What was read of the body so far."""
    read_whole: bool = False

    def named(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """A header's one value; None if absent."""
        values = self.named(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def chunked(self) -> bool:
        """Whether the body is framed in chunks."""
        return (self.header("transfer-encoding") or "").lower() == "chunked"

    def pieces(self) -> Iterator[Piece]:
        """The body as it comes. Raises: `Cut` where it does not end as its framing demands."""
        for data in self._framed():
            piece = Piece(time.monotonic(), data)
            self.came.append(piece)
            yield piece
        self.read_whole = True

    def take(self, count: int) -> bytes:
        """Read on until the body has `count` bytes or more; what there is then."""
        for _ in self.pieces():
            if len(self.so_far) >= count:
                break
        return self.so_far

    @property
    def so_far(self) -> bytes:
        """The bytes of the body read so far."""
        return b"".join(piece.data for piece in self.came)

    @property
    def content(self) -> bytes:
        """The whole body. Raises: `Cut`."""
        if not self.read_whole:
            for _ in self.pieces():
                pass
        return self.so_far

    def is_cut(self) -> bool:
        """Read to the end; whether the connection ended before the body did."""
        try:
            _ = self.content
        except Cut:
            return True
        return False

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)

    def error(self) -> tuple[str, str]:
        """Type and message of an error body in the API's shape, checked to be one of ours."""
        document = self.json()
        assert self.header("content-type") == "application/json"
        assert set(document) == {"type", "error", "request_id"}, document
        assert document["type"] == "error"
        assert set(document["error"]) == {"type", "message"}
        assert document["request_id"] == self.header("x-request-id")
        assert document["request_id"] == self.header("request-id")
        return document["error"]["type"], document["error"]["message"]

    def _framed(self) -> Iterator[bytes]:
        wire = self.connection
        length = self.header("content-length")
        if self.bodyless:
            return
        if self.chunked:
            while size := int(wire.line().split(b";")[0], 16):
                data = wire.exactly(size)
                assert wire.line() == b""
                yield data
            while wire.line():
                pass
        elif length is not None:
            left = int(length) - len(self.so_far)
            while left:
                data = wire.some(left)
                left -= len(data)
                yield data
        else:
            with contextlib.suppress(Cut):
                while True:
                    yield wire.some(65536)


class Connection:
    """One TCP connection to the relay."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._came = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.socket.sendall(data)

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Headers = ()
    ) -> Response:
        """Send one request and read the head of its response."""
        self.begin(method, target, body, headers)
        return self.response(bodyless=method == "HEAD")

    def begin(
        self, method: str, target: str, body: bytes | None = None, headers: Headers = ()
    ) -> None:
        """Send one request and do not wait."""
        self.send(head(method, target, body, headers) + (body or b""))

    def response(self, *, bodyless: bool = False) -> Response:
        """The head of the next response, 1xx ones passed over. Raises: `Cut`."""
        status = 0
        while status < 200:
            status = int(self.line().split(b" ")[1])
            headers = []
            while line := self.line():
                name, _, value = line.decode("latin-1").partition(":")
                headers.append((name, value.strip()))
        return Response(self, status, headers, bodyless or status in (204, 304))

    def line(self) -> bytes:
        """One line without its CRLF. Raises: `Cut`."""
        while b"\r\n" not in self._came:
            self._fill()
        line, _, rest = bytes(self._came).partition(b"\r\n")
        self._came = bytearray(rest)
        return line

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises: `Cut`."""
        while len(self._came) < size:
            self._fill()
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def some(self, most: int) -> bytes:
        """At least one byte, at most `most`. Raises: `Cut`."""
        if not self._came:
            self._fill()
        return self.exactly(min(most, len(self._came)))

    def is_answered(self) -> bool:
        """Whether there is something to read now."""
        return bool(self._came or select.select([self.socket], [], [], 0)[0])

    def is_closed_by_peer(self, within_s: float = 5.0) -> bool:
        """Whether the relay closes this connection, anything it still sends put aside."""
        self.socket.settimeout(within_s)
        try:
            while True:
                self._fill()
        except Cut:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        """End the connection. Idempotent."""
        self.socket.close()

    def half_close(self) -> None:
        """Say that nothing more will be sent, and stay to read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _fill(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            raise Cut(str(error)) from error
        if not data:
            raise Cut("the connection ended")
        self._came += data


def head(method: str, target: str, body: bytes | None = None, headers: Headers = ()) -> bytes:
    """A request head. `Host` is added, and the length of `body` unless framing is given."""
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    given = {name.lower() for name, _ in fields}
    lines = [f"{method} {target} HTTP/1.1", "Host: relay.test"]
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    if body is not None and "content-type" not in given:
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunks(body: bytes, size: int) -> bytes:
    """A body in chunked framing."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
