"""Endless: a provider in a process of its own, whose streams are as fast as anybody takes them.

One loop without threads, so that it costs little beside what it feeds. `python -m
tests.scripted.endless COUNT` prints its port, and pours once COUNT streams have been asked for.
"""

import json
import selectors
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from tests.scripted import messages
from tests.scripted.client import Connection
from tests.scripted.relay import ROOT

BURST: Final = messages.text_block(0, "x" * 40)[1] * 100
"""What is written at once: one chunk of many events."""

_BEGUN: Final = b"".join(messages.beginning())
_STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_LENGTH: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Endless:
    """The running program; a context manager."""

    def __init__(self, count: int) -> None:
        """It begins to pour with the stream number `count`; until then each has its beginning."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scripted.endless", str(count)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._port = 0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=5)

    @property
    def url(self) -> str:
        """The provider's address."""
        return f"http://127.0.0.1:{self._port}"

    def written(self) -> int:
        """Bytes it could write, all streams together."""
        with Connection(self._port) as connection:
            return int(connection.ask("GET", "/written").content)


@dataclass(slots=True)
class _Client:
    sock: socket.socket
    rest: bytes = b""
    is_stream: bool = False


class _Loop:
    """The program."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._written = 0
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        # What is accepted inherits it: a write is not megabytes ahead of its reader.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self._listener.setblocking(False)  # noqa: FBT003  no other way to say it
        self._selector.register(self._listener, selectors.EVENT_READ)
        print(self._listener.getsockname()[1], flush=True)  # noqa: T201  for who started it

    def run(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.data is None:
                    self._accept()
                    continue
                try:
                    self._serve(key.data, events)
                except OSError:
                    self._selector.unregister(key.data.sock)
                    key.data.sock.close()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)  # noqa: FBT003  as above
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock))

    def _serve(self, client: _Client, events: int) -> None:
        if events & selectors.EVENT_READ:
            asked = client.sock.recv(65536)
            if not asked:
                raise ConnectionResetError
            self._answer(client, asked)
        if events & selectors.EVENT_WRITE:
            with suppress(BlockingIOError):
                client.rest = client.rest or _chunk(BURST)
                sent = client.sock.send(client.rest)
                client.rest = client.rest[sent:]
                self._written += sent

    def _answer(self, client: _Client, asked: bytes) -> None:
        """Requests are small here: head and body come in one piece."""
        if b'"stream":true' in asked:
            client.is_stream = True
            client.sock.send(_STREAM + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(_BEGUN))
            self._missing -= 1
            if self._missing <= 0:
                self._pour()
        elif asked.startswith(b"GET /written"):
            written = str(self._written).encode()
            client.sock.send(_LENGTH % (len(written), written))
        else:
            message = json.dumps(messages.message()).encode()
            client.sock.send(_LENGTH % (len(message), message))

    def _pour(self) -> None:
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        for key in list(self._selector.get_map().values()):
            if key.data is not None and key.data.is_stream:
                self._selector.modify(key.fileobj, both, key.data)


if __name__ == "__main__":
    _Loop(int(sys.argv[1])).run()
