"""One exchange: when it answers, when it fails and how, and what it leaves behind."""

import os
import socket
import time
from collections.abc import Callable

import gevent
import pytest

from relay.errors import (
    UpstreamBroken,
    UpstreamIdle,
    UpstreamLost,
    UpstreamSilent,
    UpstreamUnreachable,
)
from relay.upstream.call import Call, Response
from relay.upstream.client import Client
from relay.wire import Timeouts, UpstreamRequest
from tests.upstream.scripted import OK, Peer, Server, a_request, bytewise, repeats, says

Fetch = Callable[[UpstreamRequest], tuple[int, bytes]]
Start = Callable[..., Server]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# More than the kernel buffers of both sides hold.
HUGE = b"x" * (32 << 20)


def answered(call: Call) -> Response:
    response = call.head()
    assert response is not None
    return response


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


def test_small_writes_are_not_held_back(server: Start, client: Client) -> None:
    call = client.begin(a_request(server(repeats()).url()))

    with socket.socket(fileno=os.dup(answered(call).fileno())) as same:
        assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    call.close()


def test_sent_at_is_when_the_last_byte_went_out(server: Start, client: Client) -> None:
    before = time.monotonic()
    call = client.begin(a_request(server(repeats()).url()))

    assert before <= call.sent_at <= time.monotonic()
    call.close()


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


def test_close_from_another_greenlet_ends_the_wait(server: Start, client: Client) -> None:
    upstream = server(lambda peer: peer.request() and peer.wait_for_end())
    call = client.begin(a_request(upstream.url()))
    gevent.spawn_later(0.05, call.close)

    with pytest.raises(UpstreamLost):
        call.head()


def test_fileno_names_the_socket_until_the_body_has_ended(server: Start, client: Client) -> None:
    upstream = server(repeats())
    call = client.begin(a_request(upstream.url()))
    response = call.head()
    assert response is not None

    assert response.fileno() > 0
    while response.read1():
        pass
    assert response.fileno() == -1


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


def test_nothing_is_sent_twice_when_a_fresh_connection_is_refused(client: Client) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]

        with pytest.raises(UpstreamUnreachable, match=f"127.0.0.1:{port}: connection refused") as e:
            client.begin(a_request(f"http://127.0.0.1:{port}/path?secret=1"))

    assert not e.value.sent
    assert "secret" not in str(e.value)
