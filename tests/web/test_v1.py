"""The views: what is asked arrives, and what was taken is given back (behaviour 1, 4.1, 4.9)."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from relay.errors import ClientLeft
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_json, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import NOTHING, UNREAD, App, end, environ


def test_a_message_goes_up_and_the_answer_comes_down_as_they_are(app: App, a: Upstream) -> None:
    a.says(says_json(messages.message("w\u00f6rld"), headers={"request-id": "req_1"}))

    answered = app.ask(target="/v1/messages?beta=true", headers={"anthropic-beta": "b-1"})

    asked = a.only()
    assert asked.target == "/v1/messages?beta=true"
    assert asked.body == MSG
    assert asked.header("anthropic-beta") == "b-1"
    assert answered.status == 200
    assert answered.json() == messages.message("w\u00f6rld")
    assert answered.header("request-id") == "req_1"


@pytest.mark.parametrize("body", [b"not json", b"", b"\xff\x00", b'{"model":7}'])
def test_an_odd_body_is_the_upstream_s_to_judge(app: App, a: Upstream, body: bytes) -> None:
    a.says(says_error(400, "invalid_request_error", "upstream's words"))

    answered = app.ask(body=body)

    assert a.only().body == body
    assert answered.status == 400
    assert answered.json()["error"]["message"] == "upstream's words"


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/v1/files/a%2Fb", "/v1/files/a%2Fb"),
        ("/v1/files//x/?q=%20", "/v1/files/x?q=%20"),
        ("/v1/messages/batches/b_1/results", "/v1/messages/batches/b_1/results"),
        ("/v1/organizations/%e4%b8%ad", "/v1/organizations/%e4%b8%ad"),
        ("/v1/messages/count_tokens/x", "/v1/messages/count_tokens/x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_other_paths_are_passed_on_as_they_came(
    app: App, a: Upstream, method: str, target: str, sent: str
) -> None:
    assert app.ask(method, target, body=b"\x00\xff").status == 200

    assert (a.only().method, a.only().target, a.only().body) == (method, sent, b"\x00\xff")
    assert app.holds == NOTHING


@pytest.mark.parametrize("target", ["/v1/files/../x", "/v1/%2e%2e/x", "/v1/files/./x"])
def test_a_path_that_climbs_reaches_nobody(app: App, a: Upstream, target: str) -> None:
    answered = app.ask("GET", target)

    assert answered.status == 400
    assert answered.error()[0] == "invalid_request_error"
    assert not a.requests
    assert app.holds == NOTHING


ENDINGS: Mapping[str, tuple[Answer, bytes]] = {
    "a message": (says_json(messages.message()), MSG),
    "a stream": (streams(), STREAM_MSG),
    "a stream cut short": (streams(*messages.beginning(), ends="close"), STREAM_MSG),
    "a refusal": (says_error(400, "invalid_request_error"), MSG),
    "a limit": (says_error(429, "rate_limit_error"), MSG),
    "a refused key": (says_error(403, "permission_error"), MSG),
    "a failure": (says_error(529, "overloaded_error"), MSG),
    "no answer": (says_nothing("reset"), MSG),
    "an empty answer": (says(200, {"Content-Type": "application/json"}), MSG),
    "an error event": (
        streams(messages.event("error", error={"type": "api_error", "message": "x"})),
        STREAM_MSG,
    ),
}


@pytest.mark.parametrize("what", ENDINGS)
def test_whatever_comes_the_place_is_free_again(app: App, a: Upstream, what: str) -> None:
    answer, body = ENDINGS[what]
    a.says(answer)

    app.ask(body=body)

    assert app.holds == NOTHING


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/models"),
        ("HEAD", "/v1/models"),
        ("GET", "/v1/models?limit=x"),
        ("GET", "/v1/models/none"),
        ("GET", "/v1/providers"),
        ("GET", "/v1/messages"),
        ("OPTIONS", "/v1/messages"),
        ("GET", "/v1/%2e%2e"),
    ],
)
def test_lists_and_refusals_need_no_place(app: App, method: str, target: str) -> None:
    slot = app.lasting.slots.take(1)
    assert slot is not None

    assert app.ask(method, target).status != 503
    slot.release()
    assert app.holds == NOTHING


def test_a_reply_that_is_never_read_is_given_back_by_close(app: App, a: Upstream) -> None:
    a.says(streams(*messages.beginning(), ends="open"))
    _, body = app.call(environ("POST", "/v1/messages", STREAM_MSG))
    assert app.holds == (1, 1, 1)

    end(body)

    assert app.holds == NOTHING


def test_a_reply_left_in_the_middle_is_given_back_by_close(app: App, a: Upstream) -> None:
    a.says(streams(*messages.beginning(), ends="open"))
    _, body = app.call(environ("POST", "/v1/messages", STREAM_MSG))
    next(iter(body))

    end(body)
    end(body)

    assert app.holds == NOTHING
    assert app.ask().status == 200


def test_a_client_that_leaves_within_its_body_ends_the_connection_without_an_answer(
    app: App, a: Upstream
) -> None:
    class Left:
        def read(self, _size: int) -> bytes:
            raise ClientLeft

    with pytest.raises(ConnectionResetError):
        app.ask(stream=Left())

    assert not a.requests
    assert app.holds == NOTHING


def test_a_full_relay_reads_no_body_and_forgets_the_client(app: App, a: Upstream) -> None:
    slot = app.lasting.slots.take(1)
    assert slot is not None

    answered = app.ask(stream=UNREAD)

    assert answered.status == 503
    slot.release()
    assert app.holds == NOTHING
    assert not a.requests


# One line an exchange


@pytest.fixture
def ended(app: App) -> Iterator[list[dict[str, Any]]]:
    """The fields of every line that ends an exchange."""
    fields: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "exchange ended":
                fields.append(record.__dict__["fields"] | {"level": record.levelname})

    assert app.path.exists()
    kept = Kept()
    logging.getLogger("relay").addHandler(kept)
    yield fields
    logging.getLogger("relay").removeHandler(kept)


@pytest.mark.parametrize(
    ("method", "target", "status", "level", "outcome"),
    [
        ("POST", "/v1/messages", 200, "INFO", "complete"),
        ("POST", "/v1/files", 200, "INFO", "complete"),
        ("GET", "/v1/models", 200, "INFO", "complete"),
        ("GET", "/v1/providers", 200, "INFO", "complete"),
        ("GET", "/v1/models/none", 404, "WARNING", "not_found_error"),
        ("GET", "/v1/messages", 405, "WARNING", "invalid_request_error"),
        ("GET", "/v1/%2e/x", 400, "WARNING", "invalid_request_error"),
    ],
)
def test_every_request_under_v1_ends_in_one_line(
    app: App,
    ended: list[dict[str, Any]],
    *,
    method: str,
    target: str,
    status: int,
    level: str,
    outcome: str,
) -> None:
    answered = app.ask(method, target, headers={"x-request-id": "mine"})

    assert answered.status == status
    (line,) = ended
    assert (line["status"], line["level"], line["outcome"]) == (status, level, outcome)
    assert (line["request_id"], line["method"]) == ("mine", method)
    assert line["duration_ms"] >= 0


def test_health_leaves_no_line(app: App, ended: list[dict[str, Any]]) -> None:
    for path in ("/", "/health", "/health/ready", "/api/hello"):
        app.ask("GET", path)

    assert ended == []


def test_a_refused_client_leaves_the_reason_and_not_what_it_showed(
    start_app: StartApp, a: Upstream, tmp_path: Path
) -> None:
    app = start_app(config(provider("p", a, "k1"), server={"auth": {"api_key": "right"}}))

    app.ask(headers={"x-api-key": "wrong-credential"})

    written = (tmp_path / "0" / "log").read_text()
    assert '"authentication refused"' in written
    assert '"invalid x-api-key"' in written
    assert '"status":401' in written
    assert "wrong-credential" not in written
    assert "right" not in written
