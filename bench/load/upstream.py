"""The source of all loads: a fake Messages API that costs less than what is measured.

    python -m bench.load.upstream [--port N]    prints its port, serves until its input closes

It speaks the language of common load tests, in fields that gateways pass on:

    POST /v1/messages   max_tokens = events of a stream, top_k = milliseconds between two of them
    GET  /finish        end the streams that are open, each when its next event is due

One epoll loop, no framework. Streams of one interval wait in one queue: each comes to its end
again an interval later, so the queue is always in order and there is no timer for each. An event
is one `send` of bytes whose only variable part is its stamp; the first goes out at once, as a
model's opening and first word do. `fake_upstream` is the one to ask about what happened to a
request; this one keeps nothing.
"""

import argparse
import gc
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import httptools
import msgspec

from bench import events
from bench.load import stamp
from bench.load.upstream_connection import UpstreamConnection

_PAUSE_S: Final = 0.5
"""The longest time in which the loop looks at nothing."""
A_WRITE: Final = 4
"""Events in one write of a stream without pause. One a write costs more to send than a gateway
needs to pass it on, and so would measure us."""
_RUSH: Final = 32
"""Writes of such a stream before the next stream's turn."""
_MOST_PENDING_BYTES: Final = 1 << 20
"""A gateway that is further behind than this is hung up on."""
_READ_BYTES: Final = 1 << 18


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nrequest-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
_OPENING: Final = _HEAD + _chunk(events.OPENING)
_BEFORE, _, _AFTER = _chunk(events.delta("#" * stamp.LENGTH)).partition(b"#" * stamp.LENGTH)
_CLOSING: Final = _chunk(events.CLOSING) + b"0\r\n\r\n"
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_UNKNOWN: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Asked(msgspec.Struct):
    """What a request's body asks of us."""

    max_tokens: int = 1
    top_k: int = 0
    stream: bool = False


class Upstream:
    """The server: every connection, and which of their streams is due when."""

    def __init__(self, port: int, *, a_write: int = A_WRITE, cut_after: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._connections: dict[int, UpstreamConnection] = {}
        self._queues: dict[int, deque[UpstreamConnection]] = {}
        self._rushing: deque[UpstreamConnection] = deque()
        self._a_write = a_write
        self._cut_after = cut_after

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Until standard input closes."""
        listener, stdin = self._listener.fileno(), sys.stdin.fileno()
        while True:
            for fd, mask in self._poll.poll(self._pause_s()):
                if fd == listener:
                    self._accept()
                elif fd == stdin:
                    return
                else:
                    self._serve(self._connections[fd], mask)
            self._write_due()
            self._rush()

    def answer(self, connection: UpstreamConnection, url: bytes, body: bytes) -> None:
        """Answer one request, or begin to."""
        if url.startswith(b"/v1/messages"):
            self._answer_message(connection, body)
        elif url == b"/finish":
            for each in self._connections.values():
                each.left = 0
            self._write(connection, _plain(b"{}"))
        else:
            self._write(connection, _UNKNOWN)

    def _answer_message(self, connection: UpstreamConnection, body: bytes) -> None:
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except msgspec.DecodeError:
            self._write(connection, _BAD)
            return
        if not asked.stream:
            self._write(connection, _plain(events.PLAIN))
            return
        connection.begin(max(asked.max_tokens, 1), asked.top_k * 1_000_000)
        self._write(connection, _OPENING)
        if not asked.top_k:
            self._rushing.append(connection)
        elif self._write_event(connection):
            connection.due_ns = time.monotonic_ns() + connection.interval_ns
            self._queues.setdefault(connection.interval_ns, deque()).append(connection)

    def _pause_s(self) -> float:
        if self._rushing:
            return 0.0
        due = [queue[0].due_ns for queue in self._queues.values() if queue]
        if not due:
            return _PAUSE_S
        return min(max(min(due) - time.monotonic_ns(), 0) / 1e9, _PAUSE_S)

    def _write_due(self) -> None:
        now = time.monotonic_ns()
        for queue in self._queues.values():
            while queue and queue[0].due_ns <= now:
                connection = queue.popleft()
                if self._write_event(connection):
                    connection.due_ns += connection.interval_ns
                    queue.append(connection)

    def _rush(self) -> None:
        for _ in range(len(self._rushing)):
            connection = self._rushing.popleft()
            goes_on, turns = True, _RUSH
            while goes_on and turns and not connection.pending:
                goes_on = self._write_event(connection, self._a_write)
                turns -= 1
            if goes_on and not connection.pending:  # else when the socket takes more
                self._rushing.append(connection)

    def _write_event(self, connection: UpstreamConnection, a_write: int = 1) -> bool:
        """Write the next events of a stream, and its end after the last; whether it goes on."""
        if connection.is_gone:
            return False
        if connection.left > 0:
            count = min(connection.left, a_write)
            connection.left -= count
            connection.sent += count
            self._write(connection, (_BEFORE + stamp.now() + _AFTER) * count)
            if connection.sent == self._cut_after:
                self._close(connection)
                return False
        if connection.left > 0:
            return True
        connection.is_streaming = False
        self._write(connection, _CLOSING)
        return False

    def _write(self, connection: UpstreamConnection, data: bytes) -> None:
        if connection.is_gone:
            return
        if connection.pending:
            connection.pending += data
            if len(connection.pending) > _MOST_PENDING_BYTES:
                self._close(connection)
            return
        try:
            sent = connection.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        if sent < len(data):
            connection.pending = data[sent:]
            self._poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _serve(self, connection: UpstreamConnection, mask: int) -> None:
        if mask & select.EPOLLOUT:
            data, connection.pending = connection.pending, b""
            self._poll.modify(connection.socket, select.EPOLLIN)
            self._write(connection, data)
            is_rushing = connection.is_streaming and not connection.interval_ns
            if is_rushing and not connection.pending:
                self._rushing.append(connection)
        if mask & ~select.EPOLLOUT and not connection.is_gone:
            self._read(connection)

    def _read(self, connection: UpstreamConnection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
            if data:
                connection.feed(data)
                return
        except BlockingIOError:
            return
        except (OSError, httptools.HttpParserError):
            pass  # as if it had ended
        self._close(connection)

    def _accept(self) -> None:
        try:
            while True:
                connected, _ = self._listener.accept()
                connected.setblocking(False)  # noqa: FBT003 - the standard library's own signature
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[connected.fileno()] = UpstreamConnection(connected, self)
                self._poll.register(connected, select.EPOLLIN)
        except BlockingIOError:
            return

    def _close(self, connection: UpstreamConnection) -> None:
        if not connection.is_gone:
            self._poll.unregister(connection.socket)
            del self._connections[connection.socket.fileno()]
            connection.close()


def _plain(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


def main(arguments: Sequence[str]) -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.upstream")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--burst-write", type=int, default=A_WRITE, help="events in one")
    parser.add_argument(
        "--cut-after", type=int, default=0, help="cut each stream after so many events, for tests"
    )
    options = parser.parse_args(arguments)
    # Ctrl-C is for whoever started us: they end us when they have finished with us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    a_write, cut_after = options.burst_write, options.cut_after
    try:
        upstream = Upstream(options.port, a_write=a_write, cut_after=cut_after)
    except OSError as error:
        raise SystemExit(f"port {options.port}: {error.strerror}") from error
    print(upstream.port, flush=True)
    gc.disable()  # a collection would show as latency of the gateway
    upstream.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
