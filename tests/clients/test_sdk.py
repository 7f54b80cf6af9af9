"""The official `anthropic` SDK, both generations, meets the relay as it meets the API itself."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients.conftest import RELAY_KEY, Begin, Run, printed
from tests.scripted import messages
from tests.scripted.answers import Answer, Step, says_error, says_json, says_message, streams
from tests.scripted.client import MSG
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

TOOLS: list[Step] = [
    messages.message_start(),
    *messages.tool_block(0, "toolu_1", "get", "", '{"a":', ' "\u00fc"}'),
    *messages.tool_block(1, "toolu_2", "get", "{}"),
    *messages.ending("tool_use"),
]
THINKING: list[Step] = [
    messages.message_start(),
    *messages.thinking_block(0, "let me see", "SIG" * 30),
    *messages.text_block(1, "done"),
    *messages.ending(),
]
BROKEN: list[Step] = [*messages.beginning("some", " text"), 0.3]
ERROR = messages.event("error", error={"type": "overloaded_error", "message": "theirs"})


class Script:
    """Answers by the model's name."""

    def __init__(self) -> None:
        self.failed_once = False

    def __call__(self, request: Recorded) -> Answer:
        fields = request.fields()
        if request.path.endswith("/count_tokens"):
            return says_json({"input_tokens": 42})
        if fields["model"] == "claude-503-once":
            self.failed_once = not self.failed_once
            told = {"retry-after": "1"}
            return says_error(503, "overloaded_error", headers=told) if self.failed_once else ONCE
        return ANSWERS.get((fields["model"], fields.get("stream", False)), ONCE)


ONCE = says_message()
ANSWERS: Mapping[tuple[str, bool], Answer] = {
    ("claude-text", True): streams(),
    ("claude-tools", True): streams(*TOOLS),
    ("claude-thinking", True): streams(*THINKING),
    ("claude-400", False): says_error(400, "invalid_request_error", "<wording>"),
    ("claude-404", False): says_error(404, "not_found_error", "model: claude-404"),
    ("claude-429", False): says_error(429, "rate_limit_error", headers={"retry-after": "1"}),
    ("claude-529", False): says_error(529, "overloaded_error"),
    ("claude-broken", True): streams(*BROKEN, ends="close"),
    ("claude-error-event", True): streams(*BROKEN, ERROR),
}


@pytest.fixture(scope="module")
def calls(run: Run, relay: Relay, upstream: Upstream) -> tuple[Any, list[Recorded]]:
    """What `scripts/calls.py` printed, and what reached the upstream meanwhile."""
    upstream.forget()
    upstream.answers_with(Script())
    return run("calls.py", relay, RELAY_KEY), upstream.requests


@pytest.fixture(scope="module")
def failures(run: Run, relay: Relay, upstream: Upstream) -> tuple[Any, list[Recorded]]:
    """What `scripts/failures.py` printed, and what reached the upstream meanwhile."""
    upstream.forget()
    upstream.answers_with(Script())
    return run("failures.py", relay, RELAY_KEY), upstream.requests


Played = tuple[Any, list[Recorded]]


def test_create(calls: Played, sdk: str) -> None:
    got, requests = calls
    assert got["create"] == messages.message()
    assert requests[0].header("x-api-key") == "k1"
    assert requests[0].header("authorization") is None
    assert requests[0].header("user-agent") == f"Anthropic/Python {sdk}"
    versions = {"2.12.0": "2026-10-21", "0.125.0": "2023-06-01"}
    assert requests[0].header("anthropic-version") == versions[sdk]
    assert not [request for request in requests if RELAY_KEY in request.text()]


def test_stream(calls: Played) -> None:
    got, _ = calls
    assert got["stream"]["texts"] == ["hello", " world"]
    assert got["stream"]["final"]["content"] == [{"type": "text", "text": "hello world"}]
    assert got["stream"]["final"]["usage"]["output_tokens"] == messages.USAGE["output_tokens"]
    assert got["raw_stream"] == messages.names(b"".join(messages.text_stream()))


def test_tools(calls: Played) -> None:
    got, requests = calls
    first = got["tools"]["first"]
    assert [(block["id"], block["input"]) for block in first["content"]] == [
        ("toolu_1", {"a": "\u00fc"}),
        ("toolu_2", {}),
    ]
    assert first["stop_reason"] == "tool_use"
    assert got["tools"]["second"] == messages.message()
    (sent_back,) = [r.fields() for r in requests if b"tool_result" in r.body]
    assert [block["tool_use_id"] for block in sent_back["messages"][-1]["content"]] == [
        "toolu_1",
        "toolu_2",
    ]


def test_thinking(calls: Played) -> None:
    thought, text = calls[0]["thinking"]["content"]
    assert (thought["thinking"], thought["signature"]) == ("let me see", "SIG" * 30)
    assert text["text"] == "done"


def test_count_tokens(calls: Played) -> None:
    assert calls[0]["count_tokens"] == 42


def test_beta_calls_keep_their_query_and_betas(calls: Played, sdk: str) -> None:
    got, requests = calls
    assert got["beta"]["content"] == messages.message()["content"]
    (beta,) = [request for request in requests if request.named("anthropic-beta")]
    assert beta.header("anthropic-beta") == "context-1m-2025-08-07,y"
    assert beta.query == ("beta=true" if sdk.startswith("0.") else "")


def test_models(calls: Played) -> None:
    models = calls[0]["models"]
    listed = ["claude-text", "claude-b", "claude-c", "GLM-4.7", "anthropic/GLM-4.7"]
    assert models["all"] == listed
    assert models["first page"] == listed[:2]
    assert models["one"] == "anthropic/GLM-4.7"
    assert models["created"] >= 2026


def test_a_wrong_key_is_refused_once_and_at_once(failures: Played, relay: Relay) -> None:
    got = failures[0]["wrong key"]
    assert (got["raised"], got["status"]) == ("AuthenticationError", 401)
    assert got["seconds"] < 0.4, "it was repeated"
    assert got["request_id"]
    assert relay.record_of(got["request_id"])["status"] == 401


@pytest.mark.parametrize(
    ("case", "raised", "message"),
    [
        ("400", "BadRequestError", "<wording>"),
        ("404", "NotFoundError", "model: claude-404"),
        ("429", "RateLimitError", "scripted"),
        ("529", "OverloadedError", "scripted"),
    ],
)
def test_an_upstreams_refusal_is_raised_as_what_it_is(
    failures: Played, case: str, raised: str, message: str
) -> None:
    got, requests = failures
    assert got[case]["status"] == int(case)
    assert got[case]["raised"] in (raised, "InternalServerError" if case == "529" else raised)
    assert got[case]["message"] == message
    if case in ("400", "404"):
        assert sum(f"claude-{case}".encode() in request.body for request in requests) == 1


def test_a_retry_after_reaches_the_program(failures: Played) -> None:
    assert failures[0]["429"]["retry_after"] == "1"


def test_a_resting_key_of_the_relay_is_waited_for(failures: Played) -> None:
    got = failures[0]
    assert got["429 of the relay"]["status"] == 429
    assert got["429 of the relay"]["retry_after"] == "1"
    assert got["429 of the relay"]["message"] != got["429"]["message"]
    assert got["after the rest"]["text"] == "hello"


def test_a_passing_overload_is_repeated_by_the_sdk(failures: Played) -> None:
    got, requests = failures
    assert got["503 once"]["text"] == "hello"
    assert got["503 once"]["seconds"] >= 1
    counts = [
        request.header("x-stainless-retry-count")
        for request in requests
        if b"claude-503-once" in request.body
    ]
    assert counts == ["0", "1"]
    assert got["529 for ever"]["status"] == 529


def test_a_broken_stream_raises(failures: Played) -> None:
    got, requests = failures
    assert got["broken"]["texts"] == ["some", " text"]
    assert "APIError" in got["broken"]["raised"]
    assert sum(b"claude-broken" in request.body for request in requests) == 1


def test_an_error_event_raises(failures: Played) -> None:
    got = failures[0]["error event"]
    assert got["texts"] == ["some", " text"]
    assert "APIStatusError" in got["raised"]


def test_an_unknown_model_raises(failures: Played) -> None:
    assert failures[0]["unknown model"] == "not_found_error"


def test_our_own_overload_is_waited_for(begin: Begin, relay: Relay, upstream: Upstream) -> None:
    hold = threading.Event()
    upstream.forget()
    upstream.says(says_message("held", before=(hold,)))
    with relay.connect() as holder:
        holder.begin("POST", "/v1/messages", MSG, {"x-api-key": RELAY_KEY})
        upstream.wait_for(1)
        since = len(relay.output())
        process = begin("patience.py", relay, RELAY_KEY)
        try:
            until("a 503 of ours", lambda: _refusals(relay, since), 20)
        finally:
            hold.set()
        assert holder.response().content
        assert printed(process) == "hello"
    assert upstream.requests[-1].header("x-stainless-retry-count") in ("1", "2")


def _refusals(relay: Relay, since: int) -> list[Mapping[str, Any]]:
    return [record for record in relay.records(since) if record.get("status") == 503]
