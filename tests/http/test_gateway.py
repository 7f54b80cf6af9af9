"""The gateway contract, point by point where no other file has it (G1 to G21)."""

import json
import threading
from collections.abc import Callable

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says, says_error, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream


@pytest.mark.parametrize(
    ("asked", "arrives"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages?a=b&c=%20d&e", "/v1/messages?a=b&c=%20d&e"),
        ("/v1/messages/", "/v1/messages"),
        ("/v1/messages/?beta=true", "/v1/messages?beta=true"),
        ("//v1/messages", "/v1/messages"),
        ("/v1//messages/count_tokens/", "/v1/messages/count_tokens"),
    ],
)
def test_paths_are_matched_and_queries_kept(
    plain: Relay, plain_upstream: Upstream, asked: str, arrives: str
) -> None:
    plain_upstream.says(says_json({"input_tokens": 1}))
    assert plain.post(target=asked).status == 200
    assert plain_upstream.only().target == arrives
    assert plain_upstream.only().method == "POST"


WORDINGS = [
    "input length and `max_tokens` exceed context limit: 150000 + 64000 > 200000",
    "context_management: Extra inputs are not permitted",
    "messages.1.role: Input should be 'user' or 'assistant'",
    "output_config: Extra inputs are not permitted",
    "Unexpected value(s) `X` for the `anthropic-beta` header",
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "prompt is too long: 250000 tokens > 200000 maximum",
]


@pytest.mark.parametrize("wording", WORDINGS)
def test_the_wording_of_a_refusal_is_kept(
    plain: Relay, plain_upstream: Upstream, wording: str
) -> None:
    body = json.dumps(messages.error("invalid_request_error", wording), indent=3).encode()
    told = {"Content-Type": "application/json", "request-id": "req_7", "x-should-retry": "false"}
    plain_upstream.says(says(400, told | {"cf-ray": "1-X"}, body))
    answer = plain.post()
    assert (answer.status, answer.content) == (400, body)
    for name, value in (told | {"cf-ray": "1-X"}).items():
        assert answer.header(name) == value
    assert len(plain_upstream.requests) == 1


@pytest.mark.parametrize("status", [429, 529])
def test_what_the_client_must_do_next_passes(
    plain: Relay, plain_upstream: Upstream, status: int
) -> None:
    told = {
        "retry-after": "17",
        "x-should-retry": "true",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-made-up": "1",
    }
    plain_upstream.says(says_error(status, "some_error", headers=told))
    answer = plain.post(headers={"x-api-key": "their-own"})
    assert answer.status == status
    assert {name: answer.header(name) for name in told} == told


def test_other_endpoints_are_passed_through(plain: Relay, plain_upstream: Upstream) -> None:
    calls = [
        ("GET", "/v1/files?limit=2&after_id=x", None, {}),
        ("DELETE", "/v1/files/file_1%2Fx", None, {}),
        (
            "POST",
            "/v1/files",
            b"--b\r\n\0\xff\r\n--b--",
            {"Content-Type": "multipart/x; boundary=b"},
        ),
        ("POST", "/v1/messages/batches", b'{"requests":[]}', {"anthropic-beta": "y"}),
        ("PUT", "/v1/made/up", b"", {"Content-Type": "text/plain"}),
        ("POST", "/v1/complete", b"{}", {}),
    ]
    for method, target, body, headers in calls:
        plain_upstream.forget()
        plain_upstream.says(says(207, {"Content-Type": "application/x-jsonl", "x-a": "b"}, b"\0"))
        answer = plain.ask(method, target, body, headers)
        arrived = plain_upstream.only()
        assert (arrived.method, arrived.target) == (method, target)
        assert arrived.body == (body or b"")
        assert arrived.header("x-api-key") == "k1"
        for name, value in headers.items():
            assert arrived.header(name) == value
        assert (answer.status, answer.content, answer.header("x-a")) == (207, b"\0", "b")
        assert answer.header("content-type") == "application/x-jsonl"


def test_a_passed_stream_arrives_piece_by_piece(plain: Relay, plain_upstream: Upstream) -> None:
    hold = threading.Event()
    plain_upstream.says(streams(b"event: a\ndata: 1\n\n", hold, b"event: b\ndata: 2\n\n"))
    answer = plain.get("/v1/sessions/s/events")
    assert answer.take(1) == b"event: a\ndata: 1\n\n"
    hold.set()
    assert answer.content.endswith(b"data: 2\n\n")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html>a file somebody stored</html>"),
        ("application/json", b""),
        ("application/json", b'{"type":"error","error":{"type":"api_error"}}'),
        ("application/octet-stream", bytes(range(256)) * 10_000),
    ],
    ids=["html", "empty", "error", "binary"],
)
def test_what_an_endpoint_unknown_to_us_answers_is_not_judged(
    plain: Relay, plain_upstream: Upstream, content_type: str, body: bytes
) -> None:
    plain_upstream.says(says(200, {"Content-Type": content_type}, body))
    answer = plain.get("/v1/files/f/content")
    assert (answer.status, answer.content) == (200, body)
    assert answer.header("content-type") == content_type


def test_head_and_no_content_pass(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(says(200, {"Content-Length": "70", "Content-Type": "x/y"}))
    connection = plain.connect()
    answer = connection.ask("HEAD", "/v1/files/f")
    assert (answer.status, answer.header("content-type")) == (200, "x/y")
    assert plain_upstream.only().method == "HEAD"
    plain_upstream.says(says(204, {}))
    assert connection.ask("DELETE", "/v1/files/f").status == 204
    assert connection.ask("GET", "/health").status == 200


def test_a_passed_error_is_the_upstreams(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(says_error(404, "not_found_error", "no such file"))
    answer = plain.get("/v1/files/none")
    assert answer.status == 404
    assert answer.json() == messages.error("not_found_error", "no such file")


def test_without_an_anthropic_provider_other_endpoints_are_not_found(
    start_relay: StartRelay, start_upstream: Callable[[], Upstream]
) -> None:
    zai = start_upstream()
    relay = start_relay(config(provider("z", zai, "zk", type="zai")), workers=1)
    for method, target in (("POST", "/v1/complete"), ("GET", "/v1/files")):
        answer = relay.ask(method, target, b"{}")
        assert answer.status == 404
        assert answer.error()[0] == "not_found_error"
        assert answer.header("x-should-retry") == "false"
    assert zai.accepted == 0
    assert relay.post().status == 200


def test_an_unknown_model_is_the_upstreams_to_refuse(
    plain: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(says_error(404, "not_found_error", "model: nope"))
    answer = plain.post(MSG.replace(b"claude-x", b"nope"))
    assert answer.status == 404
    assert answer.json() == messages.error("not_found_error", "model: nope")


def test_25_counts_over_10_connections_hold_up_no_stream(
    plain: Relay, plain_upstream: Upstream
) -> None:
    stream_goes_on, counts_go_on = threading.Event(), threading.Event()
    begun = messages.beginning()
    whole = streams(*begun, stream_goes_on, *messages.text_stream()[len(begun) :])
    count = says_json({"input_tokens": 3}, before=(counts_go_on,))
    plain_upstream.answers_with(lambda asked: count if "count" in asked.path else whole)
    stream = plain.post(STREAM_MSG)
    assert stream.take(len(b"".join(begun)))
    connections = [plain.connect() for _ in range(10)]
    asked = [connections[number % 10] for number in range(25)]
    for connection in asked:  # the second and third wait in the connection for the one before
        connection.begin("POST", "/v1/messages/count_tokens?beta=true", MSG)
    plain_upstream.wait_for(1 + len(connections))
    stream_goes_on.set()
    assert stream.content == b"".join(messages.text_stream())  # while every count is held
    counts_go_on.set()
    assert [c.response().json() for c in asked] == [{"input_tokens": 3}] * 25


def test_two_thousand_messages_arrive_as_they_are(plain: Relay, plain_upstream: Upstream) -> None:
    turn = b'{"role":"user","content":"%d"}'
    body = MSG.replace(b'{"role":"user","content":"hi"}', b",".join(turn % n for n in range(2000)))
    assert plain.post(body).status == 200
    assert plain_upstream.only().body == body
    assert len(plain_upstream.only().fields()["messages"]) == 2000


def test_paths_that_climb_are_not_relayed(plain: Relay, plain_upstream: Upstream) -> None:
    for target in ("/v1/../admin", "/v1/%2e%2e/admin", "/v1/files/..%2f..%2fx/../y"):
        answer = plain.get(target)
        assert 400 <= answer.status < 500, target
        assert answer.error()
    assert plain_upstream.accepted == 0


def test_our_own_errors_carry_an_id_and_no_foreign_prefix(plain: Relay) -> None:
    foreign = ("x-litellm-", "helicone-", "x-portkey-", "cf-aig-", "x-kong-", "x-bt-", "x-bifrost-")
    for answer in (plain.get("/nope"), plain.post(), plain.get("/health")):
        assert answer.header("x-request-id")
        assert not [name for name, _ in answer.headers if name.lower().startswith(foreign)]
