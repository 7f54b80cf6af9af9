"""Calls that are thrown out of a wait, or closed by somebody else: nothing is left behind."""

import socket
from collections.abc import Callable

import gevent
import pytest

from relay.errors import (
    UpstreamBroken,
    UpstreamLost,
)
from relay.upstream.client import Client
from relay.wire import UpstreamRequest
from tests.upstream.conftest import answered
from tests.upstream.scripted import CHUNKED, HUGE, OK, Peer, Server, a_request

Fetch = Callable[[UpstreamRequest], tuple[int, bytes]]
Start = Callable[..., Server]


class Left(gevent.GreenletExit):
    """What is thrown into a greenlet whose client has left."""


def thrown_out(client: Client, request: UpstreamRequest, after_s: float = 0.05) -> None:
    """Begin an exchange, throw it out of whatever it waits in, close it."""

    def run() -> None:
        call = None
        try:
            call = client.begin(request)
            response = answered(call)
            while response.read1():
                pass
        finally:
            if call is not None:
                call.close()

    greenlet = gevent.spawn(run)
    gevent.sleep(after_s)
    assert not greenlet.dead, "it was to wait"
    greenlet.kill(Left, timeout=1)
    assert isinstance(greenlet.value, Left)


@pytest.mark.parametrize(
    ("answer", "body"),
    [(b"", b"{}"), (b"", HUGE), (OK[:20], b"{}"), (CHUNKED + b"1\r\na\r\n", b"{}")],
    ids=["head", "send", "in the headers", "body"],
)
def test_call_that_is_thrown_out_ends_its_connection(
    server: Start, client: Client, answer: bytes, body: bytes
) -> None:
    closed = []

    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.send(answer, pause_s=0.1)
        try:
            peer.wait_for_end()
        finally:
            closed.append(peer)

    upstream = server(script)

    thrown_out(client, a_request(upstream.url(), body=body))

    assert repr(client) == "Client(Transport(Pool()))"
    gevent.sleep(0.15)
    assert len(closed) == 1


def test_call_that_is_thrown_out_of_the_handshake_leaves_nothing(
    server: Start, client: Client
) -> None:
    upstream = server(lambda peer: peer.wait_for_end())  # takes the hello, never answers it

    thrown_out(client, a_request(upstream.url().replace("http:", "https:")))

    gevent.sleep(0.02)
    assert upstream.ended == 1


def test_call_that_is_thrown_out_of_connecting_leaves_nothing(client: Client) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # Linux takes one more, and lets the next ones wait
        for filling in (first, second):
            filling.setblocking(False)  # noqa: FBT003  the standard library's
            filling.connect_ex(full.getsockname())

        thrown_out(client, a_request(f"http://127.0.0.1:{full.getsockname()[1]}/"))


def test_gevent_timeout_around_a_call_is_not_taken_for_our_own(
    server: Start, client: Client
) -> None:
    upstream = server(lambda peer: peer.request() and peer.wait_for_end())
    call = client.begin(a_request(upstream.url()))

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        call.head()
    call.close()


def test_close_from_another_greenlet_ends_the_wait(server: Start, client: Client) -> None:
    upstream = server(lambda peer: peer.request() and peer.wait_for_end())
    call = client.begin(a_request(upstream.url()))
    gevent.spawn_later(0.05, call.close)

    with pytest.raises(UpstreamLost):
        call.head()


def test_close_is_idempotent_and_closes_the_response(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"1\r\na\r\n")
        peer.wait_for_end()

    upstream = server(script)
    call = client.begin(a_request(upstream.url()))
    response = answered(call)

    call.close()
    call.close()
    response.close()

    gevent.sleep(0.02)
    assert upstream.ended == 1
    assert response.read1() == b"a"  # it had arrived
    with pytest.raises(UpstreamBroken):
        response.read1()
