"""Asking over HTTP, with one deadline for everything together."""

import socket
import threading
import time

import pytest

from relay.cli.asking import MAX_BODY_BYTES, Deadline, NoAnswer, NotHttp, get
from relay.config.addresses import Listen
from tests.cli.peers import Play, free_port, http, peer


def _drips(data: bytes) -> Play:
    """Sends its answer a byte at a time, so that each single read is quick."""

    def play(sock: socket.socket, _request: bytes, over: threading.Event) -> None:
        for byte in data:
            if over.wait(0.05):
                return
            sock.sendall(bytes((byte,)))

    return play


def _silent(_sock: socket.socket, _request: bytes, over: threading.Event) -> None:
    over.wait(10)


def _babbles(sock: socket.socket, _request: bytes, over: threading.Event) -> None:
    while not over.is_set():
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    "play",
    [
        _silent,
        _babbles,
        _drips(http(200, b"x" * 1000)),
        _drips(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000),
    ],
    ids=["silent", "interim answers for ever", "headers drip", "everything drips"],
)
def test_the_deadline_is_for_everything_together(play: Play) -> None:
    with peer(play) as port:
        start = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer within 0\.5 s"):
            get(Listen("127.0.0.1", port), "/health", Deadline.within(0.5))
        took = time.monotonic() - start

    assert 0.4 < took < 1.5


@pytest.mark.parametrize(
    "response",
    [
        http(200, b"body"),
        b"HTTP/1.1 200 OK\r\nx-request-id: 1\r\nconnection: close\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\nx-request-id: 1\r\n\r\nbody",
        (
            b"HTTP/1.1 200 OK\r\nX-Request-ID: 1\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1\r\nb\r\n3\r\nody\r\n0\r\n\r\n"
        ),
    ],
    ids=["length", "close", "http/1.0", "chunked"],
)
def test_an_answer_is_read_in_every_framing(response: bytes) -> None:
    def play(sock: socket.socket, request: bytes, _over: threading.Event) -> None:
        assert request.startswith(b"GET /a?b=c HTTP/1.1\r\n")
        sock.sendall(response)

    with peer(play) as port:
        answer = get(Listen("127.0.0.1", port), "/a?b=c", Deadline.within(5))

    assert (answer.status, answer.body) == (200, b"body")
    assert answer.headers["x-request-id"] == "1"


def test_a_body_is_read_up_to_a_limit() -> None:
    def play(sock: socket.socket, _request: bytes, over: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            sock.sendall(b"x" * 65536)

    with peer(play) as port:
        answer = get(Listen("127.0.0.1", port), "/", Deadline.within(5))

    assert len(answer.body) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.9\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"220 mail\r\n"]
)
def test_what_is_no_http_is_told_apart(data: bytes) -> None:
    def play(sock: socket.socket, _request: bytes, _over: threading.Event) -> None:
        sock.sendall(data)

    with peer(play) as port, pytest.raises(NotHttp):
        get(Listen("127.0.0.1", port), "/", Deadline.within(5))


def test_a_peer_that_closes_at_once_is_no_answer() -> None:
    def play(sock: socket.socket, _request: bytes, _over: threading.Event) -> None:
        sock.shutdown(socket.SHUT_RDWR)

    with peer(play) as port, pytest.raises(NoAnswer, match="closed without an answer"):
        get(Listen("127.0.0.1", port), "/", Deadline.within(5))


def test_a_refused_connection_says_so() -> None:
    with pytest.raises(NoAnswer, match="connection refused"):
        get(Listen("127.0.0.1", free_port()), "/", Deadline.within(5))


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 70, "a..b"])
def test_a_name_that_has_no_address_is_no_answer(host: str) -> None:
    with pytest.raises(NoAnswer):
        get(Listen(host, 80), "/", Deadline.within(5))
