"""Silence, loss and cut bodies: each is told apart, and nothing is sent twice."""

import time
from collections.abc import Callable

import gevent
import pytest

from relay.errors import (
    UpstreamBroken,
    UpstreamIdle,
    UpstreamLost,
    UpstreamSilent,
)
from relay.upstream.client import Client
from relay.wire import Timeouts, UpstreamRequest
from tests.upstream.conftest import answered
from tests.upstream.scripted import CHUNKED, OK, Peer, Server, a_request, bytewise, says

Fetch = Callable[[UpstreamRequest], tuple[int, bytes]]
Start = Callable[..., Server]


def test_silence_before_the_headers_is_counted_over_all_calls(
    server: Start, client: Client
) -> None:
    upstream = server(lambda peer: peer.request() and peer.wait_for_end())
    limits = Timeouts(connect_s=5, first_byte_s=0.2, idle_s=5)
    call = client.begin(a_request(upstream.url(), timeouts=limits))

    assert call.head(0.05) is None
    assert call.head(0.05) is None
    with pytest.raises(UpstreamSilent, match=r"127\.0\.0\.1:\d+ sent no response headers within"):
        call.head(5)

    assert 0.2 <= time.monotonic() - call.sent_at < 1
    gevent.sleep(0.02)
    assert upstream.ended == 1


def test_headers_that_drip_do_not_prolong_the_first_byte_limit(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(*bytewise(OK), pause_s=0.02)

    limits = Timeouts(connect_s=5, first_byte_s=0.1, idle_s=5)
    call = client.begin(a_request(server(script).url(), timeouts=limits))

    with pytest.raises(UpstreamSilent):
        call.head()


def test_silence_in_the_body_is_counted_over_all_reads(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"1\r\na\r\n")
        peer.wait_for_end()

    upstream = server(script)
    limits = Timeouts(connect_s=5, first_byte_s=5, idle_s=0.2)
    response = answered(client.begin(a_request(upstream.url(), timeouts=limits)))
    assert response.read1() == b"a"
    began = time.monotonic()

    assert response.read1(0.05) is None
    with pytest.raises(UpstreamIdle, match=r"sent nothing for 0\.2 s"):
        set(iter(lambda: response.read1(0.05), b""))

    assert time.monotonic() - began < 1
    gevent.sleep(0.02)
    assert upstream.ended == 1


def test_request_that_was_read_and_dropped_is_lost_and_sent_once(
    server: Start, client: Client
) -> None:
    upstream = server(lambda peer: peer.request() and None)
    call = client.begin(a_request(upstream.url()))

    with pytest.raises(UpstreamLost, match="closed the connection before it answered") as lost:
        call.head()

    assert lost.value.sent
    assert len(upstream.requests) == upstream.connections == 1


def test_reset_before_the_answer_is_lost(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.reset()

    with pytest.raises(UpstreamLost, match="connection reset by peer before it answered"):
        client.begin(a_request(server(script).url())).head()


def test_headers_cut_off_are_lost(server: Start, client: Client) -> None:
    with pytest.raises(UpstreamLost):
        client.begin(a_request(server(says(OK[:25])).url())).head()


def test_answer_that_is_no_http_is_broken(server: Start, client: Client) -> None:
    with pytest.raises(UpstreamBroken, match="malformed"):
        client.begin(a_request(server(says(b"SSH-2.0-OpenSSH\r\n")).url())).head()


@pytest.mark.parametrize(
    "answer",
    [OK[:-1], CHUNKED + b"5\r\nhel", CHUNKED + b"2\r\nok\r\n", CHUNKED + b"2\r\nok\r\nzz\r\n"],
    ids=["length", "chunk", "last chunk", "chunk size"],
)
def test_body_that_ends_early_or_is_malformed_is_broken(
    server: Start, fetch: Fetch, answer: bytes
) -> None:
    with pytest.raises(UpstreamBroken):
        fetch(a_request(server(says(answer)).url()))


def test_reset_in_the_body_is_broken(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"2\r\nok\r\n", pause_s=0.02)
        peer.reset()

    response = answered(client.begin(a_request(server(script).url())))

    assert response.read1() == b"ok"
    with pytest.raises(UpstreamBroken, match="connection reset by peer in the response body"):
        response.read1()


def test_malformed_body_ends_the_connection_before_close(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"2\r\nok\r\nzz\r\n")
        peer.wait_for_end()

    upstream = server(script)
    response = answered(client.begin(a_request(upstream.url())))

    assert response.read1() == b"ok"
    with pytest.raises(UpstreamBroken, match="malformed response"):
        response.read1()
    gevent.sleep(0.02)
    assert upstream.ended == 1
