"""What the relay answers by itself: health, warm-up, wrong paths and methods (A.1: 1, 2, 6)."""

import time

import pytest

from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream


def test_health_is_ok_and_asks_nobody(plain: Relay, plain_upstream: Upstream) -> None:
    answer = plain.get("/health")
    assert answer.status == 200
    assert answer.content == b'{"status":"ok"}'
    assert answer.header("content-type") == "application/json"
    assert plain_upstream.accepted == 0


def test_head_of_health_has_no_body(plain: Relay) -> None:
    connection = plain.connect()
    assert connection.ask("HEAD", "/health").status == 200
    # The next response begins right after the head: a body would be read as its status line.
    assert connection.ask("GET", "/health").status == 200


def test_health_takes_no_post(plain: Relay) -> None:
    answer = plain.post(b"{}", target="/health")
    assert answer.status == 405
    assert "GET" in (answer.header("allow") or "")
    assert answer.error()[0] == "invalid_request_error"
    assert answer.header("x-should-retry") == "false"


def test_ready_says_so(plain: Relay, plain_upstream: Upstream) -> None:
    answer = plain.get("/health/ready")
    assert answer.status == 200
    assert answer.json() == {"status": "ready"}
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize("path", ["/", "/api/hello"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_warm_up_is_answered_at_once(
    plain: Relay, plain_upstream: Upstream, method: str, path: str
) -> None:
    connection = plain.connect()
    assert connection.ask("GET", "/health").content
    logged = len(plain.output())
    asked_at = time.monotonic()
    answer = connection.ask(method, path)
    assert time.monotonic() - asked_at < 0.1
    assert answer.status == 200
    assert answer.content == (b"" if method == "HEAD" else b'{"status":"ok"}')
    assert plain_upstream.accepted == 0
    assert not [record for record in plain.records(logged) if record["level"] != "debug"]


def test_a_message_is_not_read_by_get(plain: Relay, plain_upstream: Upstream) -> None:
    answer = plain.get("/v1/messages")
    assert answer.status == 405
    assert answer.header("allow") == "POST"
    assert answer.error()[0] == "invalid_request_error"
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize("path", ["/nope", "/v2/messages", "/relayed", "/v1"])
def test_an_unknown_path_is_not_found(plain: Relay, plain_upstream: Upstream, path: str) -> None:
    answer = plain.get(path)
    assert answer.status == 404
    assert answer.error()[0] == "not_found_error"
    assert answer.header("x-should-retry") == "false"
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/messages"),
        ("DELETE", "/v1/messages/count_tokens"),
        ("POST", "/v1/models"),
        ("POST", "/v1/providers"),
    ],
)
def test_a_wrong_method_is_named_with_the_right_ones(
    plain: Relay, plain_upstream: Upstream, method: str, path: str
) -> None:
    answer = plain.ask(method, path, b"{}")
    assert answer.status == 405
    assert method not in (answer.header("allow") or method)
    assert answer.error()[0] == "invalid_request_error"
    assert plain_upstream.accepted == 0


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/health", "/nope"])
def test_options_is_refused_without_any_cors_header(plain: Relay, path: str) -> None:
    asked = [("Origin", "http://evil.test"), ("Access-Control-Request-Method", "POST")]
    answer = plain.ask("OPTIONS", path, None, asked)
    assert answer.status == (404 if path == "/nope" else 405)
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["//health", "/health/", "/api//hello/"])
def test_doubled_and_trailing_slashes_change_nothing(plain: Relay, path: str) -> None:
    assert plain.get(path).content == b'{"status":"ok"}'


def test_an_error_names_its_request_in_body_and_headers(plain: Relay) -> None:
    answer = plain.get("/nope", {"X-Request-ID": "my-own.id:1"})
    assert answer.json()["request_id"] == "my-own.id:1"
    assert answer.header("x-request-id") == "my-own.id:1"
    assert answer.header("request-id") == "my-own.id:1"
