"""What the real clients sent, played back through the relay byte for byte (G5, G7, G24)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.answers import streams
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

DATA = Path(__file__).parents[1] / "data"
RECORDINGS = sorted(path.relative_to(DATA).as_posix() for path in DATA.rglob("*.json"))
# Made anew for every connection, or decided by the relay (tests of their own).
NOT_COMPARED = {"host", "content-length", "connection", "content-type"}
SENT_BY_TRANSPORT = {"host", "content-length"}
CREDENTIALS = {"authorization", "x-api-key"}
EXTRAS: Mapping[str, Any] = {
    "x_extra": {"n": 9007199254740993},
    "safeguards": {"a": [1.0, 1e5]},
    "tools": [{"name": "t", "defer_loading": True}, {"type": "tool_reference", "name": "u"}],
}


@pytest.fixture(scope="module")
def renaming(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    entry = provider("p", plain_upstream, "k1", model_mapping={"claude-*": "other/model"})
    return start_relay(config(entry), workers=1)


def _posts(name: str) -> list[dict[str, Any]]:
    """The recorded calls of messages and count_tokens."""
    requests = json.loads((DATA / name).read_text())["requests"]
    return [
        request
        for request in requests
        if request["method"] == "POST"
        and request["target"].partition("?")[0] in ("/v1/messages", "/v1/messages/count_tokens")
    ]


def _headers(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(n, v) for n, v in request["headers"] if n.lower() not in SENT_BY_TRANSPORT]


def _body(request: Mapping[str, Any]) -> bytes:
    """As the clients write it: no white space, nothing escaped that need not be."""
    return json.dumps(request["body"], separators=(",", ":"), ensure_ascii=False).encode()


def test_there_are_recordings() -> None:
    assert len(RECORDINGS) == 16
    assert sum(len(_posts(name)) for name in RECORDINGS) >= 70


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_request_arrives_as_it_was_sent(
    plain: Relay, plain_upstream: Upstream, name: str
) -> None:
    plain_upstream.answers_with(streams())
    connection = plain.connect()
    for request in _posts(name):
        plain_upstream.forget()
        plain_upstream.answers_with(streams())
        body = _body(request)
        answer = connection.ask("POST", request["target"], body, _headers(request))
        assert answer.status == 200
        assert answer.content
        arrived = plain_upstream.only()
        assert arrived.target == request["target"]
        assert arrived.body == body
        sent = {n.lower(): v for n, v in _headers(request) if n.lower() not in NOT_COMPARED}
        assert sent, "a request without headers proves nothing"
        came = {n.lower(): v for n, v in arrived.headers if n.lower() not in NOT_COMPARED}
        assert came == sent


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_rename_changes_the_model_alone(
    renaming: Relay, plain_upstream: Upstream, name: str
) -> None:
    connection = renaming.connect()
    for request in _posts(name):
        plain_upstream.forget()
        plain_upstream.answers_with(streams())
        body = _body(request)
        model = json.dumps(request["body"]["model"]).encode()
        assert connection.ask("POST", request["target"], body, _headers(request)).content
        changed = body.replace(b'"model":' + model, b'"model":"other/model"', 1)
        assert changed != body
        assert plain_upstream.only().body == changed


def test_fields_nobody_knows_arrive_with_the_rest(plain: Relay, plain_upstream: Upstream) -> None:
    request = _posts("claude-code/thinking_tool.json")[0]
    body = _body({**request, "body": request["body"] | EXTRAS})
    assert plain.post(body, _headers(request)).content
    assert plain_upstream.only().body == body
    arrived = plain_upstream.only().fields()
    assert arrived["system"][0]["text"].startswith("x-anthropic-billing-header")
    assert "system" in [message["role"] for message in arrived["messages"]]
    assert list(arrived) == [*request["body"], "x_extra", "safeguards"]
