"""One connection to the fake upstream: the requests that come over it, and the stream on it."""

import socket
from typing import Protocol

import httptools


class Server(Protocol):
    """Who answers what comes."""

    def answer(self, connection: "UpstreamConnection", url: bytes, body: bytes) -> None:
        """Answer one request, or begin to."""


class UpstreamConnection:
    """Parses requests, one after another, and holds how far its stream is."""

    __slots__ = (
        "_body",
        "_parser",
        "_server",
        "_url",
        "due_ns",
        "interval_ns",
        "is_gone",
        "is_streaming",
        "left",
        "pending",
        "sent",
        "socket",
    )

    def __init__(self, connected: socket.socket, server: Server) -> None:
        self.socket = connected
        self.is_gone = False
        self.is_streaming = False
        self.interval_ns = 0
        """Between two events; 0 = as fast as the socket takes them."""
        self.due_ns = 0
        self.left = 0
        """Events still to be written."""
        self.sent = 0
        self.pending = b""
        """What the socket did not take."""
        self._server = server
        self._url = b""
        self._body: list[bytes] = []
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def begin(self, events: int, interval_ns: int) -> None:
        """Have a stream of so many events before it."""
        self.is_streaming = True
        self.left, self.sent, self.interval_ns = events, 0, interval_ns

    def feed(self, data: bytes) -> None:
        """Take a piece of requests, which calls the methods below."""
        if self._parser is not None:
            self._parser.feed_data(data)

    def on_url(self, part: bytes) -> None:
        """Collect the request target."""
        self._url += part

    def on_body(self, part: bytes) -> None:
        """Collect the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Have it answered, and be ready for the next request."""
        url, body = self._url, b"".join(self._body)
        self._url, self._body = b"", []
        self._server.answer(self, url, body)

    def close(self) -> None:
        """Hang up; once. The parser holds us, and nobody collects cycles here."""
        self.is_gone = True
        self._parser = None
        self.socket.close()
