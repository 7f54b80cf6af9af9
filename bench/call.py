"""Make one HTTP call and be told of each piece of the body the moment it arrives.

The caller's part of a measurement: a C parser under an asyncio protocol, no buffering, and the
clock is read before anything else is done with the bytes.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httptools

USER_AGENT: Final = "claude-cli/2.1.331 (external, bench)"
CLIENT_TOKEN: Final = "managed-by-cc-relay"  # noqa: S105 - the public placeholder

Piece = Callable[[bytes, int], None]
"""Told a piece of the body and the monotonic nanosecond at which it arrived."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended; `is_complete` is false for a body that was cut."""

    status: int
    is_complete: bool


def request(target: str, body: bytes) -> bytes:
    """The bytes of a POST as Claude Code would send it, on a connection of its own."""
    head = [
        f"POST {target} HTTP/1.1",
        "host: 127.0.0.1",
        f"user-agent: {USER_AGENT}",
        "accept-encoding: gzip, deflate, br, zstd",
        "content-type: application/json",
        "anthropic-version: 2023-06-01",
        f"authorization: Bearer {CLIENT_TOKEN}",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Call(asyncio.Protocol):
    """One call, from its connection to its end."""

    def __init__(self, sent: bytes, on_piece: Piece) -> None:
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._sent = sent
        self._on_piece = on_piece
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._arrived_ns = 0
        self._is_framed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request at once."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio types it wider
        self._transport = transport
        transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        """Read the clock, then the bytes."""
        self._arrived_ns = time.monotonic_ns()
        self._parser.feed_data(data)

    def on_header(self, name: bytes, _: bytes) -> None:
        """Note whether the body's end will be told."""
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._is_framed = True

    def on_body(self, piece: bytes) -> None:
        """Hand on a piece with the time of its arrival."""
        self._on_piece(piece, self._arrived_ns)

    def on_message_complete(self) -> None:
        """Hang up; one call a connection."""
        self._end(is_complete=True)
        self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """An end without framing is complete when the connection ends."""
        self._end(is_complete=not self._is_framed and self._parser.get_status_code() > 0)

    def hang_up(self) -> None:
        """Leave, as a client does whose user pressed escape."""
        self._transport.close()

    def _end(self, *, is_complete: bool) -> None:
        if not self.ending.done():
            self.ending.set_result(Ending(self._parser.get_status_code(), is_complete))


async def dial(port: int, sent: bytes, on_piece: Piece) -> Call:
    """Connect to loopback and send; the call goes on by itself."""
    loop = asyncio.get_running_loop()
    _, call = await loop.create_connection(lambda: Call(sent, on_piece), "127.0.0.1", port)
    return call
