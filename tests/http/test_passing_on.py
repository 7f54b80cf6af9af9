"""A request goes up and its answer comes down unchanged (A.1: 7 to 12, A.2: 19, 20)."""

import re
import uuid
from collections.abc import Callable

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says, says_error, says_json
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


def test_body_and_answer_pass_byte_for_byte(plain: Relay, plain_upstream: Upstream) -> None:
    body = b'{ "model" : "claude-x",\n"max_tokens":5, "messages": [ ], "x": 1.50e3}\n'
    reply = b'{"id":"msg_1",  "type":"message","content":[],"usage":{}}'
    plain_upstream.says(
        says(200, {"Content-Type": "application/json", "request-id": "req_1", "x-b": "2"}, reply)
    )
    answer = plain.post(body)
    request = plain_upstream.only()
    assert (request.method, request.target) == ("POST", "/v1/messages")
    assert request.body == body
    assert request.header("content-length") == str(len(body))
    assert request.header("transfer-encoding") is None
    assert answer.status == 200
    assert answer.content == reply
    assert answer.header("content-type") == "application/json"
    assert answer.header("request-id") == "req_1"
    assert answer.header("x-b") == "2"


def test_count_tokens_reaches_the_same_path(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(says_json({"input_tokens": 42}))
    answer = plain.post(MSG, target="/v1/messages/count_tokens?beta=true")
    assert answer.json() == {"input_tokens": 42}
    assert plain_upstream.only().target == "/v1/messages/count_tokens?beta=true"
    assert plain_upstream.only().body == MSG


@pytest.mark.parametrize("status", [404, 405, 501])
def test_count_tokens_is_estimated_where_the_provider_has_none(
    start_relay: StartRelay, start_upstream: Callable[[], Upstream], status: int
) -> None:
    upstream = start_upstream()
    relay = start_relay(config(provider("p", upstream, "k1")), workers=1)
    upstream.answers_with(says_error(status, "not_found_error"))
    path = "/v1/messages/count_tokens"
    plain = relay.post(MSG, target=path)
    assert plain.status == 200
    few = plain.json()["input_tokens"]
    tool = b'{"name":"get","description":"%s","input_schema":{"type":"object"}}' % (b"word " * 99)
    many = relay.post(MSG[:-1] + b',"tools":[' + tool + b"]}", target=path).json()["input_tokens"]
    assert few >= 1
    assert many > few
    assert len(upstream.requests) == 1, "a provider without the endpoint is remembered"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_path_in_base_url_is_kept(
    start_relay: StartRelay, plain_upstream: Upstream, slash: str
) -> None:
    base = f"{plain_upstream.url}/api/anthropic{slash}"
    relay = start_relay(config(provider("p", base, "k1")), workers=1)
    assert relay.post(target="/v1/messages?beta=true").status == 200
    assert plain_upstream.only().target == "/api/anthropic/v1/messages?beta=true"


def test_a_request_without_an_id_gets_a_new_uuid_each_time(
    plain: Relay, plain_upstream: Upstream
) -> None:
    ids = [plain.post().header("x-request-id") or "" for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(made)) == made for made in ids)
    assert [request.header("x-request-id") for request in plain_upstream.requests] == [None] * 3


def test_a_clients_request_id_is_echoed_and_goes_on(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(says_json(messages.message(), headers={"X-Request-ID": "upstreams-own"}))
    answer = plain.post(headers={"X-Request-ID": "abc"})
    assert answer.named("x-request-id") == ["abc"]
    assert plain_upstream.only().header("x-request-id") == "abc"


@pytest.mark.parametrize("id", ["x" * 1000, "a b", "a/b", "ü", "x" * 129])
def test_an_unusable_request_id_is_replaced(plain: Relay, id: str) -> None:
    answer = plain.get("/health", {"X-Request-ID": id})
    made = answer.header("x-request-id") or ""
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made)


def test_the_longest_request_id_is_kept(plain: Relay) -> None:
    assert plain.get("/health", {"X-Request-ID": "x" * 128}).header("x-request-id") == "x" * 128


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_not_relayed(
    plain: Relay, plain_upstream: Upstream, status: int
) -> None:
    plain_upstream.says(says(status, {"Location": f"{plain_upstream.url}/elsewhere"}, b""))
    answer = plain.post()
    assert answer.status == 502
    assert answer.error()[0] == "api_error"
    assert answer.header("location") is None
    assert plain_upstream.only().path == "/v1/messages"


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (400, "application/json", b'{"type":"error","error":{"type":"x","message":"<wording>"}}'),
        (404, "application/json; charset=utf-8", b'{"type":"error" , "error":{}}'),
        (418, "text/html", b"<h1>teapot</h1>"),
        (500, "text/plain", b"it broke"),
        (529, "application/json", b'{"type":"error","error":{"type":"overloaded_error"}}'),
    ],
)
def test_an_upstreams_error_passes_unchanged(
    plain: Relay, plain_upstream: Upstream, status: int, content_type: str, body: bytes
) -> None:
    fields = {"Content-Type": content_type, "x-should-retry": "true", "retry-after": "7"}
    plain_upstream.says(says(status, fields, body))
    answer = plain.post()
    assert (answer.status, answer.content) == (status, body)
    assert answer.header("content-type") == content_type
    assert answer.header("x-should-retry") == "true"
    assert answer.header("retry-after") == "7"
    assert len(plain_upstream.requests) == 1


def test_an_hour_is_the_longest_retry_after_that_passes(
    plain: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(says_error(500, "api_error", headers={"retry-after": "4294967"}))
    assert plain.post().header("retry-after") == "3600"


def test_response_headers_about_the_connection_and_the_server_stay_behind(
    plain: Relay, plain_upstream: Upstream
) -> None:
    gone = {
        "Connection": "X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "Set-Cookie": "a=b",
        "Server": "scripted",
        "Alt-Svc": "h3",
        "Strict-Transport-Security": "max-age=1",
        "Access-Control-Allow-Origin": "*",
        "X-CC-Relay-Provider": "forged",
    }
    kept = {
        "anthropic-ratelimit-requests-limit": "900000",  # which the key of all these tests learns
        "anthropic-organization-id": "o",
        "x-c": "d",
    }
    plain_upstream.says(says_json(messages.message(), headers=gone | kept))
    answer = plain.post()
    assert {name: answer.header(name) for name in kept} == kept
    for name, value in gone.items():
        assert value not in answer.named(name), name
    assert len(answer.named("date")) <= 1
    assert not answer.named("x-hop")
    assert not answer.named("x-cc-relay-provider")


def test_a_closed_port_is_a_bad_gateway(start_relay: StartRelay) -> None:
    relay = start_relay(config(provider("p", "http://127.0.0.1:1", "k1")), workers=1)
    answer = relay.post()
    assert answer.status == 502
    kind, message = answer.error()
    assert kind == "api_error"
    assert "k1" not in message


@pytest.mark.parametrize("body", [b"not json", b"", b"[]", b'{"model":7}', b'{"model":"a"'])
def test_a_body_that_is_no_message_is_the_upstreams_to_judge(
    plain: Relay, plain_upstream: Upstream, body: bytes
) -> None:
    plain_upstream.says(says_error(400, "invalid_request_error", "that is no message"))
    answer = plain.post(body)
    assert answer.status == 400
    assert answer.json() == messages.error("invalid_request_error", "that is no message")
    assert plain_upstream.only().body == body


def test_tool_ids_are_the_same_on_both_sides(plain: Relay, plain_upstream: Upstream) -> None:
    content = [{"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}]
    plain_upstream.says(says_json(messages.message(content=content)))
    body = (
        b'{"model":"claude-x","max_tokens":5,"messages":['
        b'{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"t","input":{}}]},'
        b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}]}]}'
    )
    assert plain.post(body).json()["content"] == content
    assert plain_upstream.only().body == body
