"""How large, how slow and how broken a request body may be (A.5: 39, 43; G19, G20)."""

import contextlib
import time

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.client import MSG, Cut, Response, chunks, head
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

LIMIT = 100
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def _relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    server = {"max_body_bytes": LIMIT, "body_timeout_ms": 1000}
    return start_relay(config(provider("p", plain_upstream, "k1"), server=server))


@pytest.fixture
def relay(_relay: Relay) -> Relay:
    _relay.restore()
    return _relay


def _post_chunked(relay: Relay, body: bytes, size: int) -> Response:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", b"", CHUNKED))
    connection.send(chunks(body, size))
    return connection.response()


def _too_large(answer: Response) -> None:
    assert answer.status == 413
    kind, message = answer.error()
    assert kind == "request_too_large"
    assert str(LIMIT) in message
    assert answer.header("x-should-retry") == "false"


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_passes(relay: Relay, plain_upstream: Upstream, size: int) -> None:
    body = b"x" * size
    assert relay.post(body).status == 200
    assert _post_chunked(relay, body, 7).status == 200
    assert [request.body for request in plain_upstream.requests] == [body, body]
    assert {request.header("content-length") for request in plain_upstream.requests} == {str(size)}


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT])
def test_a_body_over_the_limit_is_refused(
    relay: Relay, plain_upstream: Upstream, size: int
) -> None:
    body = b"x" * size
    _too_large(relay.post(body))
    _too_large(_post_chunked(relay, body, 7))
    _too_large(_post_chunked(relay, body, size))
    assert plain_upstream.accepted == 0


def test_an_announced_length_over_the_limit_is_refused_without_the_body(relay: Relay) -> None:
    connection = relay.connect()
    asked_at = time.monotonic()
    connection.send(head("POST", "/v1/messages", None, {"Content-Length": str(LIMIT + 1)}))
    _too_large(connection.response())
    assert time.monotonic() - asked_at < 0.5


def test_a_chunked_body_is_refused_without_waiting_for_its_end(relay: Relay) -> None:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", b"", CHUNKED))
    connection.send(b"%x\r\n%s\r\n" % (LIMIT, b"x" * LIMIT))
    # The server hands chunks on by the kilobyte: that much more may be read before the answer.
    connection.send(b"100\r\n%s\r\n" % (b"x" * 256) * 4)
    _too_large(connection.response())


def test_count_tokens_has_the_same_limit(relay: Relay) -> None:
    _too_large(relay.post(b"x" * (LIMIT + 1), target="/v1/messages/count_tokens"))


@pytest.mark.parametrize("sent", [b"", b"x" * 10])
def test_a_body_that_does_not_come_is_a_timeout(
    relay: Relay, plain_upstream: Upstream, sent: bytes
) -> None:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", None, {"Content-Length": "99"}) + sent)
    asked_at = time.monotonic()
    answer = connection.response()
    assert 0.5 < time.monotonic() - asked_at < 3
    assert answer.status == 408
    assert answer.error()[0] == "invalid_request_error"
    assert answer.header("x-should-retry") == "true"
    assert plain_upstream.accepted == 0


def test_a_chunked_body_that_stops_is_a_timeout(relay: Relay, plain_upstream: Upstream) -> None:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", b"", CHUNKED) + b"5\r\nhello\r\n")
    asked_at = time.monotonic()
    assert connection.response().status == 408
    assert 0.5 < time.monotonic() - asked_at < 3
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize(
    "framing",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_malformed_chunk_is_a_bad_request(
    relay: Relay, plain_upstream: Upstream, framing: bytes
) -> None:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", b"", CHUNKED) + framing)
    answer = connection.response()
    assert answer.status == 400
    assert answer.error()[0] == "invalid_request_error"
    assert answer.header("x-should-retry") == "false"
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Content-Length", "-5")],
        [("Content-Length", "five")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
        [("Bad Header", "x")],
    ],
)
def test_a_malformed_head_is_refused_in_our_shape(
    relay: Relay, plain_upstream: Upstream, headers: list[tuple[str, str]]
) -> None:
    connection = relay.connect()
    connection.send(head("POST", "/v1/messages", None, headers) + b"0\r\n\r\n")
    answer = connection.response()
    assert 400 <= answer.status < 500
    assert answer.error()[0] == "invalid_request_error"
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize("first", [b"GET\r\n\r\n", b"nonsense nonsense nonsense\r\n\r\n"])
def test_what_is_no_http_is_refused_in_our_shape(relay: Relay, first: bytes) -> None:
    connection = relay.connect()
    connection.send(first)
    answer = connection.response()
    assert 400 <= answer.status < 500
    assert answer.error()[0] == "invalid_request_error"


def test_a_very_long_target_is_refused_in_our_shape(relay: Relay) -> None:
    answer = relay.get("/v1/models?" + "x" * 100_000)
    assert 400 <= answer.status < 500
    assert answer.error()[0] == "invalid_request_error"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_half_a_body_is_never_forwarded(
    relay: Relay, plain_upstream: Upstream, framing: str
) -> None:
    connection = relay.connect()
    if framing == "length":
        connection.send(head("POST", "/v1/messages", MSG) + MSG[:-1])
    else:
        connection.send(head("POST", "/v1/messages", b"", CHUNKED) + chunks(MSG, 50)[:-5])
    connection.half_close()
    with contextlib.suppress(Cut):  # an answer is possible, and not owed: who would read it?
        assert connection.response().status == 400
    assert plain_upstream.accepted == 0


def test_a_changed_limit_holds_after_a_reload(relay: Relay, plain_upstream: Upstream) -> None:
    entry = provider("p", plain_upstream, "k1")
    relay.reload(config(entry, server={"max_body_bytes": LIMIT * 2}))
    assert relay.post(b"x" * LIMIT * 2).status == 200
    assert relay.post(b"x" * (LIMIT * 2 + 1)).status == 413
    relay.reload(config(entry, server={"max_body_bytes": 0}))
    unlimited = b"x" * (33_554_432 + 1)
    plain_upstream.forget()
    assert relay.post(unlimited).status == 200
    assert plain_upstream.only().body == unlimited


def test_32_megabytes_pass_and_one_byte_more_does_not(
    plain: Relay, plain_upstream: Upstream
) -> None:
    body = b'{"model":"claude-x","x":"' + b"\xc3\xbc" * (16_777_216 - 14) + b'"}'
    body = body.ljust(33_554_432)
    assert plain.post(body).status == 200
    assert plain_upstream.only().body == body
    connection = plain.connect()
    connection.send(head("POST", "/v1/messages", None, {"Content-Length": "33554433"}))
    assert connection.response().status == 413
