"""An exchange that goes well: every framing, and what is there without waiting."""

from collections.abc import Callable

import gevent
import pytest

from relay.upstream.client import Client
from relay.upstream.transport import Transport
from relay.wire import UpstreamRequest
from tests.upstream.conftest import answered
from tests.upstream.scripted import (
    CHUNKED,
    HUGE,
    OK,
    Peer,
    Server,
    a_request,
    bytewise,
    repeats,
    says,
)

Fetch = Callable[[UpstreamRequest], tuple[int, bytes]]
Start = Callable[..., Server]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        CHUNKED + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Late: 1\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\n\r\nhello world",
        b"HTTP/1.0 200 OK\r\n\r\nhello world",
    ],
    ids=["length", "chunked", "continue", "until the end", "1.0"],
)
def test_every_framing_gives_the_body_also_byte_by_byte(
    server: Start, fetch: Fetch, answer: bytes
) -> None:
    whole = server(says(answer))
    assert fetch(a_request(whole.url())) == (200, b"hello world")

    def dripping(peer: Peer) -> None:
        peer.request()
        peer.send(*bytewise(answer))

    assert fetch(a_request(server(dripping).url())) == (200, b"hello world")


def test_read1_returns_at_once_what_has_arrived(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\none")
        peer.request()

    call = client.begin(a_request(server(script).url()))
    response = answered(call)

    assert response.read1() == b"one"
    assert response.read1(0.02) is None
    assert response.read1(0) is None
    call.close()


def test_head_gives_none_until_the_headers_are_complete(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK[:20], pause_s=0.1)
        peer.send(OK[20:])

    call = client.begin(a_request(server(script).url()))

    assert call.head(0.02) is None
    assert call.head(0) is None
    response = call.head()
    assert response is not None
    assert response is call.head(0)
    call.close()


@pytest.mark.parametrize(
    ("method", "answer", "status"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304),
    ],
)
def test_response_without_a_body_ends_at_once(
    server: Start, fetch: Fetch, method: str, answer: bytes, status: int
) -> None:
    upstream = server(repeats(answer))

    assert fetch(a_request(upstream.url(), method=method, body=b"")) == (status, b"")


def test_fileno_names_the_socket_until_the_body_has_ended(server: Start, client: Client) -> None:
    upstream = server(repeats())
    call = client.begin(a_request(upstream.url()))
    response = call.head()
    assert response is not None

    assert response.fileno() > 0
    while response.read1():
        pass
    assert response.fileno() == -1


class HurriedClock:
    """Two milliseconds pass between any two looks at it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.002
        return self.now

    def wall(self) -> float:
        return self.now


def test_body_that_never_pauses_leaves_other_greenlets_their_turn(server: Start) -> None:
    upstream = server(lambda peer: peer.request() and peer.send(b"HTTP/1.1 200 OK\r\n\r\n", HUGE))
    transport = Transport(clock=HurriedClock())
    call = transport.begin(a_request(upstream.url()))
    response = answered(call)
    turns = 0

    def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    ticking = gevent.spawn(tick)
    gevent.sleep(0.05)  # the kernel's buffers fill

    assert response.read1()  # what came with the headers
    for _ in range(3):
        before = turns
        assert response.read1()
        assert turns > before

    ticking.kill()
    call.close()
    transport.close()
