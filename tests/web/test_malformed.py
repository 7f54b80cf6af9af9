"""What gunicorn's parser refuses is answered here, in the API's shape."""

import json
import socket
import uuid
from collections.abc import Iterator, Mapping

import pytest
from gunicorn.config import Config as GunicornConfig
from gunicorn.http.errors import (
    InvalidHeader,
    InvalidHeaderName,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    LimitRequestHeaders,
    LimitRequestLine,
    ObsoleteFolding,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.parser import RequestParser

from relay.web.malformed import answered_here

Pair = tuple[socket.socket, socket.socket]


class Worker:
    """The part of gunicorn's worker that is replaced, and what still reaches it."""

    def __init__(self) -> None:
        self.passed: list[BaseException] = []

    def handle_error(
        self, _req: object, _client: socket.socket, _addr: object, error: BaseException
    ) -> None:
        self.passed.append(error)


@pytest.fixture
def pair() -> Iterator[Pair]:
    server, client = socket.socketpair()
    client.settimeout(5)
    with server, client:
        yield server, client


def answer_to(error: BaseException, pair: Pair) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name and body of what the client reads."""
    server, client = pair
    answered_here(Worker())(None, server, ("127.0.0.1", 1), error)
    server.shutdown(socket.SHUT_WR)
    head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    assert first.startswith("HTTP/1.1 ")
    fields = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in fields}
    assert len(headers) == len(fields)
    return int(first.split(" ")[1]), headers, body


ERRORS: Mapping[ParseException, int] = {
    InvalidRequestLine("secret line"): 400,
    InvalidRequestMethod("secret"): 400,
    InvalidHTTPVersion((3, 0)): 400,
    InvalidHeader("secret"): 400,
    InvalidHeaderName("secret"): 400,
    ObsoleteFolding("secret"): 400,
    LimitRequestLine(9000, 8190): 414,
    LimitRequestHeaders("secret"): 431,
    UnsupportedTransferCoding("secret"): 501,
}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_request_that_cannot_be_parsed_gets_an_error_of_the_api(
    error: ParseException, pair: Pair
) -> None:
    status, headers, body = answer_to(error, pair)

    document = json.loads(body)
    assert status == ERRORS[error]
    assert document["type"] == "error"
    assert document["error"]["type"] == "invalid_request_error"
    assert type(error).__name__ in document["error"]["message"]
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    assert headers["x-should-retry"] == "false"
    assert str(uuid.UUID(headers["x-request-id"])) == document["request_id"]
    assert headers["request-id"] == document["request_id"]
    assert b"secret" not in body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: strange\r\n\r\n", 501),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_what_gunicorn_says_about_real_bytes_has_its_status(
    sent: bytes, status: int, pair: Pair
) -> None:
    with pytest.raises(ParseException) as raised:
        next(RequestParser(GunicornConfig(), iter([sent]), ("127.0.0.1", 1)))

    assert answer_to(raised.value, pair)[0] == status


def test_other_faults_stay_gunicorn_s(pair: Pair) -> None:
    worker, fault = Worker(), RuntimeError("x")

    answered_here(worker)(None, pair[0], None, fault)

    assert worker.passed == [fault]


def test_a_client_that_is_gone_is_no_fault(pair: Pair) -> None:
    worker = Worker()
    pair[1].close()

    answered_here(worker)(None, pair[0], None, InvalidHeader("x"))

    assert worker.passed == []


def test_a_client_that_reads_nothing_holds_nobody(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.web.malformed._WRITE_TIMEOUT_S", 0.05)
    server, _ = pair
    server.settimeout(0)
    try:
        while True:
            server.send(b"x" * 65536)
    except BlockingIOError:
        pass

    answered_here(Worker())(None, server, None, InvalidHeader("x"))

    assert server.gettimeout() == 0.05
