"""Which response leaves a connection that can serve again, and no request is sent twice on it."""

import os
import socket
from collections.abc import Callable

import gevent
import pytest

from relay.errors import UpstreamError, UpstreamLost, UpstreamUnreachable
from relay.upstream.client import Client
from tests.upstream.conftest import whole
from tests.upstream.scripted import CHUNKED, OK, Peer, Server, a_request, repeats, says

Start = Callable[..., Server]


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_every_ending_known_by_itself_allows_reuse(
    server: Start, client: Client, answer: bytes
) -> None:
    upstream = server(repeats(answer))

    for _ in range(3):
        whole(client, a_request(upstream.url()))

    assert upstream.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"excess",
        OK + OK,
        CHUNKED + b"2\r\nok\r\n0\r\n\r\nexcess",
        b"HTTP/1.1 204 No Content\r\n\r\nexcess",
    ],
)
def test_connection_that_is_to_close_or_carries_more_is_not_used_again(
    server: Start, client: Client, answer: bytes
) -> None:
    upstream = server(repeats(answer))

    for _ in range(3):
        whole(client, a_request(upstream.url()))

    assert upstream.connections == 3


def test_garbage_that_comes_later_is_seen_before_reuse(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(OK, pause_s=0.02)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    upstream = server(script)

    for _ in range(3):
        assert whole(client, a_request(upstream.url())) == (200, b"ok")
        gevent.sleep(0.03)

    assert upstream.connections == 3


def test_connection_closed_by_the_upstream_while_idle_is_no_error(
    server: Start, client: Client
) -> None:
    upstream = server(says(OK))

    for _ in range(50):
        assert whole(client, a_request(upstream.url())) == (200, b"ok")

    assert upstream.connections == len(upstream.requests) == 50


def test_request_that_may_have_been_read_is_not_sent_again_on_a_reused_connection(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.request()

    upstream = server(script)
    whole(client, a_request(upstream.url()))

    with pytest.raises(UpstreamLost):
        client.begin(a_request(upstream.url())).head()

    assert len(upstream.requests) == 2
    assert upstream.connections == 1


@pytest.mark.parametrize("pause_s", [0.0, 0.0005, 0.002])
def test_close_that_meets_a_request_never_duplicates_it(
    server: Start, client: Client, pause_s: float
) -> None:
    """Either the new connection serves it, or the call is lost: the upstream sees it once."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK, pause_s=pause_s)

    upstream = server(script)
    outcomes = 0
    for number in range(100):
        try:
            whole(client, a_request(upstream.url(f"/{number}")))
        except UpstreamLost:
            continue
        outcomes += 1
        gevent.sleep(pause_s)

    seen = [received.line for received in upstream.requests]
    assert len(seen) == len(set(seen))
    assert outcomes > 0


def test_connection_that_cannot_be_written_to_is_replaced_once(
    server: Start, client: Client
) -> None:
    upstream = server(repeats())
    call = client.begin(a_request(upstream.url("/1")))
    response = call.head()
    assert response is not None
    with socket.socket(fileno=os.dup(response.fileno())) as same:
        assert response.read1() == b"ok"
        same.shutdown(socket.SHUT_WR)  # looks alive, takes nothing

    assert whole(client, a_request(upstream.url("/2"))) == (200, b"ok")

    assert [received.line.split()[1] for received in upstream.requests] == ["/1", "/2"]
    assert upstream.connections == 2


def test_upstream_that_is_gone_after_idling_is_unreachable(server: Start, client: Client) -> None:
    upstream = server(repeats())
    whole(client, a_request(upstream.url()))
    upstream.stop()

    with pytest.raises(UpstreamError) as error:
        client.begin(a_request(upstream.url()))

    assert isinstance(error.value, UpstreamUnreachable)


def test_response_read_to_its_end_frees_the_connection_before_close(
    server: Start, client: Client
) -> None:
    upstream = server(repeats())
    first = client.begin(a_request(upstream.url()))
    response = first.head()
    assert response is not None
    assert response.read1() == b"ok"

    whole(client, a_request(upstream.url()))
    first.close()

    assert upstream.connections == 1
    assert repr(client).endswith(": 1)))")
