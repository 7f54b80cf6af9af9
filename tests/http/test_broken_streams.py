"""A stream that breaks never ends cleanly (A.5: 47, 49; behaviour 4.8, points 5 and 6)."""

from collections.abc import Mapping

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, Ends, Framing, says, says_error, streams
from tests.scripted.client import MSG, STREAM_MSG, Cut, Response
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

BEGUN = messages.beginning("some", " text")
SENT = b"".join(BEGUN)
CLAUDE_CODE = {"User-Agent": "claude-cli/2.1.330 (external, cli)"}
OTHERS = {"User-Agent": "Anthropic/Python 2.12.0"}


@pytest.fixture(scope="module")
def _relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    entry = provider("p", plain_upstream, "k1", timeouts={"idle_ms": 1000})
    return start_relay(config(entry))


@pytest.fixture
def relay(_relay: Relay) -> Relay:
    _relay.restore()
    return _relay


def _cut_after(answer: Response) -> bytes:
    """What came before the cut. A clean end fails."""
    with pytest.raises(Cut):
        _ = answer.content
    return answer.so_far


def _error_after(answer: Response, sent: bytes) -> tuple[str, str]:
    """Type and message of the `error` event after what the upstream sent, and then the cut."""
    came = _cut_after(answer)
    assert came.startswith(sent)
    ((name, data),) = messages.events(came[len(sent) :])
    assert name == "error"
    assert data["type"] == "error"
    return data["error"]["type"], data["error"]["message"]


@pytest.mark.parametrize("ends", ["close", "reset", "inside_chunk"])
def test_a_dropped_connection_becomes_an_error_event_and_a_cut(
    relay: Relay, plain_upstream: Upstream, ends: Ends
) -> None:
    plain_upstream.says(streams(*BEGUN, 0.3, ends=ends))
    answer = relay.post(STREAM_MSG, OTHERS)
    if ends == "inside_chunk":
        came = _cut_after(answer)  # half a line came: it cannot be mended
        assert came.startswith(SENT)
        assert b"message_stop" not in came
    else:
        assert _error_after(answer, SENT)[0] == "api_error"


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_clean_end_without_message_stop_is_a_broken_stream(
    relay: Relay, plain_upstream: Upstream, framing: Framing
) -> None:
    plain_upstream.says(streams(*BEGUN, 0.3, framing=framing))
    assert _error_after(relay.post(STREAM_MSG, OTHERS), SENT)[0] == "api_error"


@pytest.mark.parametrize("ends", ["close", "reset", "clean"])
def test_claude_code_gets_the_cut_alone(relay: Relay, plain_upstream: Upstream, ends: Ends) -> None:
    plain_upstream.says(streams(*BEGUN, 0.3, ends=ends))
    assert _cut_after(relay.post(STREAM_MSG, CLAUDE_CODE)) == SENT


def test_a_client_without_a_name_gets_the_event(relay: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(streams(*BEGUN, 0.3, ends="close"))
    assert _error_after(relay.post(STREAM_MSG), SENT)


def test_before_any_content_the_error_is_one_of_overload(
    relay: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(streams(messages.message_start(), 0.6, ends="close"))
    answer = relay.post(STREAM_MSG, OTHERS)
    assert _error_after(answer, messages.message_start())[0] == "overloaded_error"


def test_silence_is_a_timeout(relay: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(streams(*BEGUN, 2.5, ends="close"))
    answer = relay.post(STREAM_MSG, OTHERS)
    assert _error_after(answer, SENT)[0] == "timeout_error"
    assert plain_upstream.only().closed.wait(1)


@pytest.mark.parametrize("headers", [OTHERS, CLAUDE_CODE], ids=["others", "claude-code"])
def test_inside_an_event_nothing_is_added(
    relay: Relay, plain_upstream: Upstream, headers: Mapping[str, str]
) -> None:
    half = messages.text_block(0, "more")[1][:-9]
    plain_upstream.says(streams(*BEGUN, half, 0.3, ends="close"))
    assert _cut_after(relay.post(STREAM_MSG, headers)) == SENT + half


def test_nothing_is_added_to_compressed_bytes(relay: Relay, plain_upstream: Upstream) -> None:
    answer = streams(*BEGUN, 0.3, ends="close", gzip=True)
    unfinished = Answer(200, answer.headers, answer.steps[:-1], "chunked", (), "close")
    plain_upstream.says(unfinished)
    came = _cut_after(relay.post(STREAM_MSG, OTHERS | {"Accept-Encoding": "gzip"}))
    assert came == b"".join(step for step in unfinished.steps if isinstance(step, bytes))


def test_an_upstreams_own_error_event_passes_and_ends_as_there(
    relay: Relay, plain_upstream: Upstream
) -> None:
    error = messages.event("error", error={"type": "overloaded_error", "message": "<wording>"})
    plain_upstream.says(streams(*BEGUN, 0.1, error))
    assert relay.post(STREAM_MSG, OTHERS).content == SENT + error
    plain_upstream.says(streams(*BEGUN, 0.1, error, ends="close"))
    assert _cut_after(relay.post(STREAM_MSG, OTHERS)) == SENT + error


def test_a_large_plain_answer_that_breaks_is_cut_short(
    relay: Relay, plain_upstream: Upstream
) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": "3000000"}
    plain_upstream.says(says(200, fields, b'{"x":"' + b"x" * 2_000_000, 0.2, ends="close"))
    answer = relay.post(MSG)
    assert answer.status == 200
    assert len(_cut_after(answer)) < 3_000_000


def test_a_small_plain_answer_that_breaks_is_a_bad_gateway(
    relay: Relay, plain_upstream: Upstream
) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": "300"}
    plain_upstream.says(says(200, fields, b'{"x":"', ends="close"))
    answer = relay.post(MSG)
    assert answer.status == 502
    assert answer.error()[0] == "api_error"


@pytest.mark.parametrize(
    "answer",
    [
        says(200, {"Content-Type": "application/json"}, b""),
        says(200, {"Content-Type": "text/html"}, b"<html><body>hello</body></html>"),
        says_error(200, "api_error"),
        streams(b""),
        streams(messages.message_start(), ends="close"),
        streams(messages.message_start()),
        streams(messages.PING),
    ],
    ids=["empty", "html", "error", "empty-stream", "broken", "ended", "ping-only"],
)
def test_an_unusable_200_is_a_bad_gateway(
    relay: Relay, plain_upstream: Upstream, answer: Answer
) -> None:
    plain_upstream.says(answer)
    got = relay.post(STREAM_MSG)
    assert got.status == 502
    assert got.error()[0] == "api_error"


@pytest.mark.parametrize(
    ("type", "status", "shown"),
    [
        # With nobody left: "as there (502 for the provider kind)", behaviour 8.2.
        ("overloaded_error", 502, "api_error"),
        ("api_error", 502, "api_error"),
        ("timeout_error", 502, "api_error"),
        ("rate_limit_error", 429, "rate_limit_error"),
        ("invalid_request_error", 400, "invalid_request_error"),
    ],
)
def test_an_error_as_first_event_is_an_error_status(
    relay: Relay, plain_upstream: Upstream, type: str, status: int, shown: str
) -> None:
    own = {"x-api-key": "theirs"}  # no key of ours rests afterwards
    error = messages.event("error", error={"type": type, "message": "<wording>"})
    plain_upstream.says(streams(error))
    answer = relay.post(STREAM_MSG, own)
    assert answer.status == status
    assert answer.header("content-type") == "application/json"
    assert answer.json()["error"]["type"] == shown
    assert status == 502 or answer.json()["error"]["message"] == "<wording>"


def test_stream_failure_decides_for_everybody(relay: Relay, plain_upstream: Upstream) -> None:
    entry = provider("p", plain_upstream, "k1")
    plain_upstream.answers_with(streams(*BEGUN, 0.3, ends="close"))
    relay.reload(config(entry, server={"stream_failure": "cut"}))
    assert _cut_after(relay.post(STREAM_MSG, OTHERS)) == SENT
    assert _cut_after(relay.post(STREAM_MSG, CLAUDE_CODE)) == SENT
    relay.reload(config(entry, server={"stream_failure": "event"}))
    assert _error_after(relay.post(STREAM_MSG, OTHERS), SENT)
    assert _error_after(relay.post(STREAM_MSG, CLAUDE_CODE), SENT)
