"""Every response is named, by the client or by us, exactly once (behaviour 4.4)."""

import uuid

import pytest

from tests.scripted import messages
from tests.scripted.answers import says_json, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.upstream import Upstream
from tests.web.driving import App

LONGEST = "A-Za-z0-9._:-" + "x" * 115


def is_uuid(text: str | None) -> bool:
    return text is not None and len(text) == 36 and str(uuid.UUID(text)) == text


@pytest.mark.parametrize("given", ["a", "abc", "req_01:x.y-z", LONGEST, "0"])
def test_a_client_s_id_is_echoed_and_goes_upstream(app: App, a: Upstream, given: str) -> None:
    answered = app.ask(headers={"x-request-id": given})

    assert answered.header("x-request-id") == given
    assert a.only().header("x-request-id") == given


@pytest.mark.parametrize(
    "given", [None, "", LONGEST + "x", "x" * 1000, "two words", "a,b", "caf\xe9", "a/b", "<x>"]
)
def test_any_other_is_replaced_by_a_uuid_that_stays_here(
    app: App, a: Upstream, given: str | None
) -> None:
    headers = {} if given is None else {"x-request-id": given}

    first, second = (app.ask(headers=headers).header("x-request-id") for _ in range(2))

    assert is_uuid(first)
    assert is_uuid(second)
    assert first != second
    assert [request.header("x-request-id") for request in a.requests] == [None, None]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/health/ready"),
        ("GET", "/v1/models"),
        ("GET", "/nope"),
        ("GET", "/v1/messages"),
        ("GET", "/v1/../x"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/files"),
    ],
)
def test_every_response_is_named_once(app: App, method: str, path: str) -> None:
    assert app.ask(method, path, headers={"x-request-id": "r.1"}).header("x-request-id") == "r.1"
    assert is_uuid(app.ask(method, path).header("x-request-id"))


@pytest.mark.parametrize("stream", [True, False])
def test_an_upstream_s_own_id_takes_no_part(app: App, a: Upstream, *, stream: bool) -> None:
    theirs = {"X-Request-ID": "theirs", "request-id": "req_theirs"}
    a.says(streams() if stream else says_json(messages.message(), headers=theirs))

    answered = app.ask(body=STREAM_MSG if stream else None, headers={"x-request-id": "mine"})

    assert answered.header("x-request-id") == "mine"
    assert answered.header("request-id") == (None if stream else "req_theirs")


def test_an_error_made_here_carries_the_id_in_its_body(app: App) -> None:
    answered = app.ask("GET", "/nope", headers={"x-request-id": "mine"})

    answered.error()
    assert answered.json()["request_id"] == "mine"


@pytest.mark.parametrize(
    "path",
    ["//v1/messages", "/v1//messages", "/v1/messages/", "/v1/messages//", "//v1//messages//"],
)
def test_doubled_and_trailing_slashes_change_nothing(app: App, a: Upstream, path: str) -> None:
    answered = app.ask("POST", f"{path}?beta=true")

    assert answered.status == 200
    assert a.only().target == "/v1/messages?beta=true"


@pytest.mark.parametrize("path", ["//", "/health/", "//health", "/health//ready/", "/v1/models/"])
def test_no_path_of_ours_is_answered_with_a_redirect(app: App, path: str) -> None:
    answered = app.ask("GET", path)

    assert answered.status == 200
    assert answered.header("location") is None
