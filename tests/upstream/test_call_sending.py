"""The request on its way out, and an upstream that will not take all of it."""

import os
import socket
import time
from collections.abc import Callable

import gevent
import pytest

from relay.errors import (
    UpstreamLost,
    UpstreamUnreachable,
)
from relay.upstream.client import Client
from relay.wire import Timeouts, UpstreamRequest
from tests.upstream.conftest import answered
from tests.upstream.scripted import (
    HUGE,
    OK,
    Peer,
    Server,
    a_request,
    repeats,
)

Fetch = Callable[[UpstreamRequest], tuple[int, bytes]]
Start = Callable[..., Server]


def test_request_arrives_exactly_as_given(server: Start, fetch: Fetch) -> None:
    upstream = server(repeats())

    status, body = fetch(
        a_request(upstream.url("/v1/messages?beta=true"), body=b'{"a": 1}', headers={"x-b": "c"})
    )

    assert (status, body) == (200, b"ok")
    (received,) = upstream.requests
    assert received.line == "POST /v1/messages?beta=true HTTP/1.1"
    assert received.headers == [
        ("Host", f"127.0.0.1:{upstream.port}"),
        ("x-b", "c"),
        ("Content-Length", "8"),
    ]
    assert received.body == b'{"a": 1}'


def test_small_request_is_one_segment(server: Start, fetch: Fetch) -> None:
    sizes = []

    def script(peer: Peer) -> None:
        sizes.append(len(peer.sock.recv(1 << 20)))
        peer.send(OK)

    fetch(a_request(server(script).url(), body=b"x" * 10_000))

    assert sizes[0] > 10_000


def test_small_writes_are_not_held_back(server: Start, client: Client) -> None:
    call = client.begin(a_request(server(repeats()).url()))

    with socket.socket(fileno=os.dup(answered(call).fileno())) as same:
        assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    call.close()


@pytest.mark.parametrize("size", [0, 1, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 5 << 20])
def test_body_of_any_size_arrives_whole(server: Start, fetch: Fetch, size: int) -> None:
    upstream = server(repeats())
    body = bytes(range(256)) * (size // 256 + 1)

    fetch(a_request(upstream.url(), body=body[:size]))

    assert upstream.requests[0].body == body[:size]


def test_refused_header_is_never_sent(server: Start, client: Client) -> None:
    upstream = server(repeats())

    with pytest.raises(ValueError, match="x-evil"):
        client.begin(a_request(upstream.url(), headers={"x-evil": "a\r\nx-b: c"}))

    assert upstream.connections == 0


def test_sent_at_is_when_the_last_byte_went_out(server: Start, client: Client) -> None:
    before = time.monotonic()
    call = client.begin(a_request(server(repeats()).url()))

    assert before <= call.sent_at <= time.monotonic()
    call.close()


def test_early_answer_is_received_while_sending_and_ends_the_connection(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        gevent.sleep(0.1)

    upstream = server(script)
    call = client.begin(a_request(upstream.url(), body=HUGE))
    response = answered(call)

    assert (response.status, response.read1(), response.read1()) == (413, b"big", b"")
    assert "127.0.0.1" not in repr(client)


def test_early_answer_followed_by_a_close_is_received(server: Start, fetch: Fetch) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")

    assert fetch(a_request(server(script).url(), body=HUGE)) == (413, b"big")


def test_interim_response_while_sending_does_not_stop_the_request(
    server: Start, fetch: Fetch
) -> None:
    def script(peer: Peer) -> None:
        gevent.sleep(0.05)
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        peer.request()
        peer.send(OK)

    upstream = server(script)

    assert fetch(a_request(upstream.url(), body=HUGE)) == (200, b"ok")
    assert upstream.requests[0].body == HUGE


def test_upstream_that_stops_reading_the_request_is_lost(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        gevent.sleep(1)

    limits = Timeouts(connect_s=5, first_byte_s=5, idle_s=0.1)

    with pytest.raises(UpstreamLost, match=r"took nothing of the request for 0\.1 s"):
        client.begin(a_request(server(script).url(), body=HUGE, timeouts=limits))


def test_upstream_that_closes_while_the_request_is_sent_is_lost(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(100)
        peer.reset()

    upstream = server(script)

    with pytest.raises(UpstreamLost):
        client.begin(a_request(upstream.url(), body=HUGE)).head()

    assert upstream.connections == 1


def test_write_that_fails_half_way_is_lost_even_on_a_reused_connection(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        gevent.sleep(0.2)
        peer.request()

    upstream = server(script)
    call = client.begin(a_request(upstream.url()))
    with socket.socket(fileno=os.dup(answered(call).fileno())) as same:
        call.close()
        gevent.spawn_later(0.05, same.shutdown, socket.SHUT_WR)

        with pytest.raises(UpstreamLost):
            client.begin(a_request(upstream.url(), body=HUGE)).head()

    assert upstream.connections == 1


def test_nothing_is_sent_twice_when_a_fresh_connection_is_refused(client: Client) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]

        with pytest.raises(UpstreamUnreachable, match=f"127.0.0.1:{port}: connection refused") as e:
            client.begin(a_request(f"http://127.0.0.1:{port}/path?secret=1"))

    assert not e.value.sent
    assert "secret" not in str(e.value)
