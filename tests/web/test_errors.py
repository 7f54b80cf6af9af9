"""Errors made here: shape, status, and what the client shall do next (behaviour 4.3)."""

from collections.abc import Mapping
from unittest.mock import ANY

import pytest

from relay import errors
from relay.errors import RelayError
from relay.web.errors import error_reply
from tests.scripted.answers import says_error, says_nothing
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import NOTHING, UNREAD, App

# path, method: status, type, `Allow`
REFUSED: Mapping[tuple[str, str], tuple[int, str, str | None]] = {
    ("GET", "/nope"): (404, "not_found_error", None),
    ("POST", "/nope"): (404, "not_found_error", None),
    ("GET", "/v1"): (404, "not_found_error", None),
    ("OPTIONS", "/nope"): (404, "not_found_error", None),
    ("GET", "/v1/models/unknown"): (404, "not_found_error", None),
    ("GET", "/v1/messages"): (405, "invalid_request_error", "POST"),
    ("HEAD", "/v1/messages"): (405, "invalid_request_error", "POST"),
    ("PUT", "/v1/messages"): (405, "invalid_request_error", "POST"),
    ("OPTIONS", "/v1/messages"): (405, "invalid_request_error", "POST"),
    ("GET", "/v1/messages/count_tokens"): (405, "invalid_request_error", "POST"),
    ("POST", "/v1/models"): (405, "invalid_request_error", "GET, HEAD"),
    ("DELETE", "/v1/models/claude-x"): (405, "invalid_request_error", "GET, HEAD"),
    ("OPTIONS", "/v1/models"): (405, "invalid_request_error", "GET, HEAD"),
    ("POST", "/v1/providers"): (405, "invalid_request_error", "GET, HEAD"),
    ("POST", "/health"): (405, "invalid_request_error", "GET, HEAD"),
    ("OPTIONS", "/health"): (405, "invalid_request_error", "GET, HEAD"),
    ("DELETE", "/"): (405, "invalid_request_error", "GET, HEAD"),
    ("PUT", "/api/hello"): (405, "invalid_request_error", "GET, HEAD"),
    ("OPTIONS", "/v1/files"): (
        405,
        "invalid_request_error",
        "DELETE, GET, HEAD, PATCH, POST, PUT",
    ),
}


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_unknown_paths_and_wrong_methods_are_errors_of_the_api(
    app: App, a: Upstream, method: str, path: str
) -> None:
    status, error_type, allow = REFUSED[method, path]

    answered = app.ask(method, path)

    assert answered.status == status
    if method != "HEAD":
        assert answered.error() == (error_type, ANY)
    assert answered.header("allow") == allow
    assert answered.header("x-should-retry") == "false"
    assert not any(name.lower().startswith("access-control") for name, _ in answered.headers)
    assert not a.requests
    assert app.holds == NOTHING


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/files", "/health"])
def test_no_answer_to_a_browser_s_question_allows_it_anything(app: App, path: str) -> None:
    asked = {"origin": "https://evil.test", "access-control-request-method": "POST"}

    answered = app.ask("OPTIONS", path, headers=asked)

    assert answered.status == 405
    assert not any(name.lower().startswith("access-control") for name, _ in answered.headers)


def test_an_unknown_client_is_refused_before_its_body_is_read(
    start_app: StartApp, a: Upstream
) -> None:
    server = {"auth": {"api_key": "s"}, "max_body_bytes": 10}
    app = start_app(config(provider("p", a, "k1"), server=server))

    answered = app.ask(headers={"x-api-key": "t"}, stream=UNREAD)

    assert answered.status == 401
    assert answered.error() == ("authentication_error", "invalid x-api-key")
    assert answered.header("x-should-retry") == "false"
    assert answered.header("www-authenticate") is None
    assert not a.requests
    assert app.holds == NOTHING


def test_a_body_over_the_limit_takes_no_place(start_app: StartApp, a: Upstream) -> None:
    server = {"max_body_bytes": 20, "max_concurrent": 1}
    app = start_app(config(provider("p", a, "k1"), server=server))

    for _ in range(2):
        answered = app.ask(body=b"x" * 21)
        assert answered.status == 413
        assert answered.error() == (
            "request_too_large",
            "request body exceeds the limit of 20 bytes",
        )
        assert answered.header("x-should-retry") == "false"
    assert app.holds == NOTHING
    assert app.ask(body=b"x" * 20).status == 200


def test_a_body_that_ends_early_is_no_request(app: App, a: Upstream) -> None:
    answered = app.ask(body=b"12345", length=9)

    assert answered.status == 400
    assert answered.error() == ("invalid_request_error", "the body ended after 5 of 9 bytes")
    assert answered.header("x-should-retry") == "false"
    assert not a.requests
    assert app.holds == NOTHING


def test_a_header_that_cannot_be_sent_is_the_client_s_fault(app: App, a: Upstream) -> None:
    answered = app.ask(headers={"x-custom": "a\nb"})

    assert answered.status == 400
    assert answered.error()[0] == "invalid_request_error"
    assert not a.requests
    assert app.holds == NOTHING


def test_a_fault_of_ours_is_a_500_that_says_nothing_of_itself(app: App, a: Upstream) -> None:
    class Broken:
        def read(self, _size: int) -> bytes:
            raise RuntimeError("secret detail")

    answered = app.ask(stream=Broken())

    assert answered.status == 500
    assert answered.error() == ("api_error", "the relay failed to handle this request")
    assert answered.header("x-should-retry") is None
    assert app.holds == NOTHING
    assert app.ask().status == 200
    assert len(a.requests) == 1


UPSTREAMS = {
    "no answer": (says_nothing("close"), 502, "api_error", None),
    "our key refused": (says_error(401, "authentication_error"), 502, "api_error", "false"),
}


@pytest.mark.parametrize("what", UPSTREAMS)
def test_what_happened_upstream_is_told(app: App, a: Upstream, what: str) -> None:
    answer, status, error_type, retry = UPSTREAMS[what]
    a.says(answer)

    answered = app.ask()

    assert answered.status == status
    assert answered.error() == (error_type, ANY)
    assert answered.header("x-should-retry") == retry
    assert "k1" not in answered.content.decode()
    assert app.holds == NOTHING


@pytest.mark.parametrize(("rests_s", "told"), [("7", {"6", "7"}), ("0", {"1"}), ("900", {"60"})])
def test_resting_keys_are_a_429_with_the_time_to_wait(
    app: App, a: Upstream, rests_s: str, told: set[str]
) -> None:
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": rests_s}))
    app.ask()

    answered = app.ask()

    assert answered.status == 429
    assert answered.error() == ("rate_limit_error", ANY)
    assert answered.header("retry-after") in told
    assert len(a.requests) == 1
    assert app.holds == NOTHING


def test_a_full_relay_says_so_at_once(app: App, a: Upstream) -> None:
    slot = app.lasting.slots.take(1)
    assert slot is not None

    answered = app.ask()

    assert answered.status == 503
    assert answered.error() == ("overloaded_error", ANY)
    assert answered.header("retry-after") == "1"
    assert app.lasting.running.count == 0
    slot.release()
    assert app.ask().status == 200
    assert len(a.requests) == 1


def test_a_worker_out_of_room_sheds_and_still_tells_its_health(app: App) -> None:
    app.lasting.running.count = app.lasting.running.capacity

    answered = app.ask()

    assert answered.status == 503
    assert answered.error()[0] == "overloaded_error"
    assert answered.header("retry-after") == "1"
    assert app.lasting.slots.held == 0
    assert app.ask("GET", "/health").status == 200
    assert app.ask("GET", "/v1/models").status == 200


# Every class of error, as bytes

RETRY: Mapping[RelayError, tuple[int, str, str | None, str | None]] = {
    errors.InvalidRequest("m"): (400, "invalid_request_error", "false", None),
    errors.Unauthenticated("m"): (401, "authentication_error", "false", None),
    errors.Forbidden("m"): (403, "permission_error", "false", None),
    errors.NotFound("m"): (404, "not_found_error", "false", None),
    errors.MethodNotAllowed("GET", "/p", "POST"): (405, "invalid_request_error", "false", None),
    errors.BodyTooSlow("m"): (408, "invalid_request_error", "true", None),
    errors.BodyTooLarge(1): (413, "request_too_large", "false", None),
    errors.KeysResting(2.1): (429, "rate_limit_error", None, "3"),
    errors.KeysResting(0.0): (429, "rate_limit_error", None, "1"),
    errors.KeysResting(-5.0): (429, "rate_limit_error", None, "1"),
    errors.KeysResting(3600.0): (429, "rate_limit_error", None, "60"),
    errors.KeysResting(float("inf")): (429, "rate_limit_error", None, "60"),
    RelayError("m"): (500, "api_error", None, None),
    errors.UpstreamFailed("m"): (502, "api_error", None, None),
    errors.CredentialRefused("m"): (502, "api_error", "false", None),
    errors.Overloaded("m"): (503, "overloaded_error", None, "1"),
    errors.NoUpstreamConfigured("m"): (503, "overloaded_error", "false", None),
    errors.UpstreamTimedOut("m"): (504, "timeout_error", None, None),
}


@pytest.mark.parametrize("error", RETRY, ids=lambda error: type(error).__name__)
def test_each_error_tells_the_client_what_to_do(error: RelayError) -> None:
    status, error_type, should_retry, retry_after = RETRY[error]

    reply = error_reply(error, "r-1")

    headers = dict(reply.headers)
    assert reply.status == status
    assert headers.get("x-should-retry") == should_retry
    assert headers.get("retry-after") == retry_after
    assert headers["request-id"] == "r-1"
    (body,) = reply.body
    assert headers["Content-Length"] == str(len(body))
    assert f'"type":"{error_type}"'.encode() in body
