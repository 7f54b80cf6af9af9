"""The transport under an ordinary `requests.Session`."""

import gzip
import http.client
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import requests
from urllib3.exceptions import ProtocolError

from relay.upstream.transport import Transport
from tests.upstream.scripted import CA_FILE, CHUNKED, OK, Peer, Server, a_request, repeats, says

Start = Callable[..., Server]


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport()
    yield made
    made.close()


@pytest.fixture
def session(transport: Transport) -> Iterator[requests.Session]:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", transport)
    made.mount("https://", transport)
    yield made
    made.close()


def test_get_and_post_work_over_one_connection(server: Start, session: requests.Session) -> None:
    upstream = server(repeats(OK.replace(b"\r\n\r\n", b"\r\nX-A: 1\r\nX-A: 2\r\n\r\n")))

    got = session.get(upstream.url("/path?a=b"), timeout=5)
    posted = session.post(upstream.url(), json={"a": 1}, timeout=5)

    assert (got.status_code, got.reason, got.text) == (200, "OK", "ok")
    assert got.headers["x-a"] == "1, 2"
    assert got.url == upstream.url("/path?a=b")
    assert posted.ok
    assert upstream.requests[0].line == "GET /path?a=b HTTP/1.1"
    assert upstream.requests[1].body == b'{"a": 1}'
    assert upstream.connections == 1


def test_both_ways_in_share_the_connections(
    server: Start, session: requests.Session, transport: Transport
) -> None:
    upstream = server(repeats())

    assert session.get(upstream.url(), timeout=5).text == "ok"
    call = transport.begin(a_request(upstream.url()))
    response = call.head()
    assert response is not None
    assert response.read1() == b"ok"
    call.close()

    assert upstream.connections == 1


@pytest.mark.parametrize("framing", ["chunked", "until the end"])
def test_raw_read1_returns_what_has_arrived(
    server: Start, session: requests.Session, framing: str
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if framing == "chunked":
            peer.send(CHUNKED, b"3\r\none\r\n", pause_s=0.02)
            peer.send(b"3\r\ntwo\r\n", b"0\r\n\r\n", pause_s=0.02)
        else:
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two", pause_s=0.02)

    response = session.get(server(script).url(), stream=True, timeout=5)
    chunks = [response.raw.read1(-1, decode_content=False) for _ in range(3)]

    assert chunks == [b"one", b"two", b""]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
        CHUNKED + b"4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n0123456789",
    ],
)
def test_body_is_read_in_every_way(server: Start, session: requests.Session, answer: bytes) -> None:
    url = server(says(answer)).url()

    assert session.get(url, timeout=5).content == b"0123456789"
    pieces = session.get(url, stream=True, timeout=5).iter_content(4)
    assert list(pieces) == [b"0123", b"4567", b"89"]
    raw = session.get(url, stream=True, timeout=5).raw
    assert (raw.read(3), raw.read(), raw.read()) == (b"012", b"3456789", b"")
    assert list(session.get(url, stream=True, timeout=5).raw.stream(6)) == [b"012345", b"6789"]


def test_compressed_body_is_decoded_for_content_and_left_alone_in_raw(
    server: Start, session: requests.Session
) -> None:
    packed = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    upstream = server(repeats(head + packed))

    assert session.get(upstream.url(), timeout=5).content == b"hello"
    raw = session.get(upstream.url(), stream=True, timeout=5).raw
    assert raw.read(decode_content=False) == packed


def test_answer_to_head_has_no_body(server: Start, session: requests.Session) -> None:
    upstream = server(repeats(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"))

    response = session.head(upstream.url(), timeout=5)

    assert response.content == b""
    assert response.headers["content-length"] == "500"


def test_generator_is_sent_with_its_length(server: Start, session: requests.Session) -> None:
    upstream = server(repeats())

    session.post(upstream.url(), data=iter([b"one", b"two"]), timeout=5)

    (received,) = upstream.requests
    assert received.body == b"onetwo"
    assert dict(received.headers)["Content-Length"] == "6"


def test_closing_a_response_early_ends_its_connection(
    server: Start, session: requests.Session
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED + b"1\r\na\r\n")
        peer.wait_for_end()

    upstream = server(script)

    with session.get(upstream.url(), stream=True, timeout=5) as response:
        assert response.raw.read1() == b"a"

    gevent.sleep(0.02)
    assert upstream.ended == 1


def test_refused_is_a_connection_error(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match=r"127\.0\.0\.1:1: connection refused"):
        session.get("http://127.0.0.1:1/", timeout=5)


def test_silent_handshake_is_a_connect_timeout(server: Start, session: requests.Session) -> None:
    url = server(lambda peer: peer.wait_for_end()).url().replace("http:", "https:")

    with pytest.raises(requests.ConnectTimeout):
        session.get(url, timeout=(0.05, 5))


def test_silence_before_the_headers_is_a_read_timeout(
    server: Start, session: requests.Session
) -> None:
    url = server(lambda peer: peer.request() and peer.wait_for_end()).url()

    with pytest.raises(requests.ReadTimeout):
        session.get(url, timeout=(5, 0.05))


def test_silence_in_the_body_is_a_connection_error(
    server: Start, session: requests.Session
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK[:-1])
        peer.wait_for_end()

    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        session.get(server(script).url(), timeout=(5, 0.05))


def test_dropped_request_is_a_connection_error_and_not_repeated(
    server: Start, session: requests.Session
) -> None:
    upstream = server(lambda peer: peer.request() and None)

    with pytest.raises(requests.ConnectionError, match="before it answered"):
        session.post(upstream.url(), data=b"x", timeout=5)

    assert len(upstream.requests) == 1


@pytest.mark.parametrize("answer", [OK[:-1], CHUNKED + b"5\r\nhel", CHUNKED + b"zz\r\n"])
def test_cut_body_is_a_chunked_encoding_error(
    server: Start, session: requests.Session, answer: bytes
) -> None:
    url = server(says(answer)).url()

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(url, timeout=5)
    raw = session.get(url, stream=True, timeout=5).raw
    with pytest.raises(ProtocolError):
        list(iter(lambda: raw.read1(decode_content=False), b""))


def test_certificate_is_judged_by_the_transport_or_by_verify(
    server: Start, session: requests.Session
) -> None:
    upstream = server(repeats(), certificate="good")

    with pytest.raises(requests.exceptions.SSLError, match="certificate not accepted"):
        session.get(upstream.url(), timeout=5)
    assert session.get(upstream.url(), verify=CA_FILE, timeout=5).text == "ok"
    assert session.get(upstream.url(), verify=CA_FILE, timeout=5).text == "ok"
    assert upstream.connections == 2


@pytest.mark.parametrize("option", [{"verify": False}, {"cert": "client.pem"}])
def test_unverified_and_client_certificates_are_refused(
    server: Start, session: requests.Session, option: dict[str, Any]
) -> None:
    upstream = server(repeats())

    with pytest.raises(ValueError, match="always verified"):
        session.get(upstream.url(), timeout=5, **option)

    assert upstream.connections == 0


def test_proxy_of_the_call_is_used(server: Start, session: requests.Session) -> None:
    proxy = server(repeats())

    session.get("http://a.example/", proxies={"http": proxy.url()}, timeout=5)

    assert proxy.requests[0].line == "GET http://a.example/ HTTP/1.1"


def test_redirects_and_cookies_are_left_to_the_session(
    server: Start, session: requests.Session
) -> None:
    answer = b"HTTP/1.1 302 %s\r\nLocation: /b\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    upstream = server(repeats(answer % http.client.responses[302].encode()))

    response = session.get(upstream.url("/a"), allow_redirects=False, timeout=5)

    assert response.status_code == 302
    assert len(upstream.requests) == 1
    assert list(session.cookies) == []
