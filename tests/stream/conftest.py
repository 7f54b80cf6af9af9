"""Real connections on the loopback, as a gevent server has them."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
import pytest
from gevent import socket

from relay.clock import SystemClock
from relay.stream.disconnect import ClientWatch, Presence
from tests.upstream.scripted import Script, Server

Start = Callable[..., Server]


@dataclass(frozen=True, slots=True)
class Connection:
    """Both ends of one TCP connection."""

    client: socket.socket
    server: socket.socket

    def reset(self) -> None:
        """The client goes with RST."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection whose buffers are small, so that a write soon has to wait."""
    with gevent.Timeout(20), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        with client, server:
            yield Connection(client, server)


@pytest.fixture
def watch() -> ClientWatch:
    """A watch that looks every 20 ms, to keep the tests short."""
    return ClientWatch(SystemClock(), poll_s=0.02)


@pytest.fixture
def presence(watch: ClientWatch, connection: Connection) -> Iterator[Presence]:
    """The watched client of `connection`."""
    presence = watch.watch(connection.server, write_timeout_s=0.5)
    yield presence
    presence.stop()


@pytest.fixture
def server() -> Iterator[Start]:
    """Start upstreams that play a script each, ended with the test."""
    started: list[Server] = []

    def start(script: Script, certificate: str = "") -> Server:
        started.append(Server(script, certificate))
        return started[-1]

    yield start
    for each in started:
        each.stop()
