"""Connections of a worker: ended with the drain, and told to go on only when somebody reads."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from relay.web.connections import CONTINUE, Connections
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import environ


class Body:
    """What a request's body is to those who mark it."""


@dataclass
class Request:
    """The part of gunicorn's request that is looked at."""

    _expected_100_continue: bool = False
    body: Any = field(default_factory=Body)


class Worker:
    """A worker whose handling of a connection the test writes."""

    def __init__(self) -> None:
        self.serves: Callable[[socket.socket], None] = lambda _: None
        self.during: Callable[[Request], None] = lambda _: None

    def handle(self, _listener: object, client: socket.socket, _addr: object) -> None:
        self.serves(client)

    def handle_request(self, _listener: object, request: Request, *_: object) -> None:
        self.during(request)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    server, client = socket.socketpair()
    server.setblocking(False)  # noqa: FBT003  its signature
    with server, client:
        yield server, client


def reads_end(server: socket.socket) -> bool:
    """Whether reading on the server's side meets an end."""
    try:
        return server.recv(1) == b""
    except BlockingIOError:
        return False


def test_an_idle_connection_ends_with_the_drain(pair: tuple[socket.socket, socket.socket]) -> None:
    worker = Worker()
    connections = Connections(worker)
    seen: list[bool] = []

    def serve(client: socket.socket) -> None:
        seen.append(reads_end(client))
        connections.close_idle()
        seen.append(reads_end(client))

    worker.serves = serve
    worker.handle(None, pair[0], None)

    assert seen == [False, True]


def test_a_busy_connection_ends_after_its_request(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    worker = Worker()
    connections = Connections(worker)
    seen: list[bool] = []

    def request(_: Request) -> None:
        connections.close_idle()
        seen.append(reads_end(pair[0]))

    worker.during = request
    worker.serves = lambda client: worker.handle_request(None, Request(), client, None)
    worker.handle(None, pair[0], None)

    assert seen == [False]
    assert reads_end(pair[0])


def test_without_a_drain_connections_stay(pair: tuple[socket.socket, socket.socket]) -> None:
    worker = Worker()
    Connections(worker)

    worker.handle_request(None, Request(), pair[0], None)

    assert not reads_end(pair[0])


def test_a_connection_that_is_gone_disturbs_nobody(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    worker = Worker()
    connections = Connections(worker)
    worker.serves = lambda _: connections.close_idle()
    pair[0].close()

    worker.handle(None, pair[0], None)


@pytest.mark.parametrize(("expects", "waits"), [(True, True), (False, False)])
def test_a_client_that_expects_a_word_is_marked_and_not_answered(
    pair: tuple[socket.socket, socket.socket], *, expects: bool, waits: bool
) -> None:
    worker = Worker()
    Connections(worker)
    request = Request(expects)

    worker.handle_request(None, request, pair[0], None)

    assert getattr(request.body, "awaits_continue", False) is waits
    assert not request._expected_100_continue  # noqa: SLF001  gunicorn's name
    pair[1].setblocking(False)  # noqa: FBT003  its signature
    with pytest.raises(BlockingIOError):
        pair[1].recv(1)


class Awaited:
    """A body that its client sends only after being told to."""

    awaits_continue = True

    def read(self, size: int) -> bytes:
        return b"x" * size


@pytest.mark.parametrize(
    ("key", "length", "status"), [("s", 5, 200), ("wrong", 5, 401), ("s", 50, 413)]
)
def test_only_an_admitted_client_is_told_to_send_its_body(
    start_app: StartApp,
    a: Upstream,
    pair: tuple[socket.socket, socket.socket],
    *,
    key: str,
    length: int,
    status: int,
) -> None:
    server = {"auth": {"api_key": "s"}, "max_body_bytes": 10}
    app = start_app(config(provider("p", a, "k1"), server=server))
    asked = environ("POST", "/v1/messages", b"", {"x-api-key": key})
    asked |= {"wsgi.input": Awaited(), "gunicorn.socket": pair[0], "CONTENT_LENGTH": str(length)}

    answered, _ = app.call(asked)

    assert answered.status == status
    pair[1].setblocking(False)  # noqa: FBT003  its signature
    if status == 200:
        assert pair[1].recv(100) == CONTINUE
    else:
        with pytest.raises(BlockingIOError):
            pair[1].recv(1)
