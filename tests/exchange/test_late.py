"""Streams committed before their upstream answered, and what comes of them (behaviour 8.4)."""

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from relay.config.model import Config
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, Served, close, quick, read
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_json, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
LATE_S = 0.07


def impatient(config: Config) -> Config:
    return quick(config, first_event_ms=20, ping_interval_ms=20)


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")), impatient)


def after_pings(served: Served) -> list[tuple[str, dict[str, Any]]]:
    """The events behind the pings with which a late stream begins."""
    events = list(messages.events(served.content))
    assert events[0] == ("ping", {"type": "ping"})
    return [each for each in events if each[0] != "ping"]


def test_a_silent_upstream_is_committed_to_and_pinged(driven: Driven, a: Upstream) -> None:
    a.says(streams(before=(LATE_S,)))

    served = driven.ask(STREAM_MSG)

    assert served.status == 200
    assert served.header("content-type") == "text/event-stream"
    assert served.header("cache-control") == "no-cache, no-transform"
    assert served.header("x-accel-buffering") == "no"
    assert served.header("content-encoding") is None
    pings = served.content.count(PING)
    assert 2 <= pings <= 6
    assert served.content == PING * pings + b"".join(messages.text_stream())
    assert not served.cut


def test_a_late_stream_that_is_compressed_reaches_the_client_readable(
    driven: Driven, a: Upstream
) -> None:
    a.says(streams(before=(LATE_S,), gzip=True))

    served = driven.ask(STREAM_MSG, {"accept-encoding": "gzip"})

    assert served.header("content-encoding") is None
    assert served.content.endswith(b"".join(messages.text_stream()))
    assert not served.cut


def late_error(status: int, type: str, text: str = "scripted") -> Answer:
    return says_json(messages.error(type, text), status, before=(LATE_S,))


LATE_ERRORS: Mapping[str, tuple[Answer, str]] = {
    "400": (late_error(400, "invalid_request_error"), "invalid_request_error"),
    "404": (late_error(404, "not_found_error"), "not_found_error"),
    "413": (late_error(413, "request_too_large"), "request_too_large"),
    "429": (late_error(429, "rate_limit_error"), "rate_limit_error"),
    "500": (late_error(500, "api_error"), "api_error"),
    "503": (late_error(503, "overloaded_error"), "overloaded_error"),
    "529": (late_error(529, "overloaded_error"), "overloaded_error"),
    "a redirect": (says(302, {"Location": "/x"}, before=(LATE_S,)), "api_error"),
    "a web page": (
        says(200, {"Content-Type": "text/html"}, b"<p>", before=(LATE_S,)),
        "api_error",
    ),
    "a whole message": (says_message(before=(LATE_S,)), "api_error"),
    "no JSON": (says(500, {"Content-Type": "text/plain"}, b"\xff", before=(LATE_S,)), "api_error"),
    "an unknown coding": (
        says(
            200,
            {"Content-Type": "text/event-stream", "Content-Encoding": "strange"},
            b"x",
            before=(LATE_S,),
        ),
        "api_error",
    ),
    "the connection lost": (says_nothing("close", LATE_S), "api_error"),
}


@pytest.mark.parametrize("what", LATE_ERRORS)
def test_a_late_refusal_is_an_error_event_of_its_type_then_a_cut(
    driven: Driven, a: Upstream, what: str
) -> None:
    answer, error_type = LATE_ERRORS[what]
    a.says(answer)

    served = driven.ask(STREAM_MSG)

    ((name, data),) = after_pings(served)
    assert (name, data["error"]["type"]) == ("error", error_type)
    assert served.cut


@pytest.mark.parametrize("failure", ["cut", "event", "auto"])
def test_a_late_refusal_is_told_however_broken_streams_end(
    drive: Drive, a: Upstream, failure: str
) -> None:
    settings = config(provider("A", a, "k1"), server={"stream_failure": failure})
    a.says(LATE_ERRORS["529"][0])

    served = drive(settings, impatient).ask(STREAM_MSG, {"user-agent": "claude-cli/2.0"})

    ((_, data),) = after_pings(served)
    assert data["error"]["type"] == "overloaded_error"


def test_a_late_error_keeps_the_upstream_s_words(driven: Driven, a: Upstream) -> None:
    a.says(late_error(529, "overloaded_error", "so busy"))

    ((_, data),) = after_pings(driven.ask(STREAM_MSG))

    assert data["error"]["message"] == "so busy"


def test_an_upstream_that_never_answers_is_a_timeout_event(drive: Drive, a: Upstream) -> None:
    driven = drive(
        config(provider("A", a, "k1")),
        lambda loaded: quick(loaded, first_event_ms=20, ping_interval_ms=20, first_byte_ms=100),
    )
    a.says(says_nothing("open"))

    served = driven.ask(STREAM_MSG)

    ((_, data),) = after_pings(served)
    assert data["error"]["type"] == "timeout_error"
    assert served.cut


def test_no_other_provider_is_asked_after_a_late_commit(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1", priority=2), provider("B", b, "k1")), impatient)
    a.says(late_error(503, "overloaded_error"))

    driven.ask(STREAM_MSG)

    assert not b.requests


def test_a_late_stream_with_corrupt_compression_breaks(driven: Driven, a: Upstream) -> None:
    corrupt = gzip.compress(b"x" * 50)[:12] + b"\xff" * 20
    headers = {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}
    a.says(says(200, headers, corrupt, framing="chunked", before=(LATE_S,)))

    assert driven.ask(STREAM_MSG).cut


def test_a_late_stream_that_breaks_off_ends_visibly(driven: Driven, a: Upstream) -> None:
    a.says(streams(*messages.beginning(), before=(LATE_S,), ends="close"))

    served = driven.ask(STREAM_MSG)

    assert served.cut
    assert b"message_stop" not in served.content


def test_only_streams_are_committed_to_early(driven: Driven, a: Upstream) -> None:
    a.says(late_error(503, "overloaded_error"))

    assert driven.ask(MSG).status == 503


@pytest.mark.parametrize(
    "answer",
    [says_nothing("open"), streams(before=(30.0,)), streams(*messages.beginning(), ends="open")],
)
def test_everything_is_given_back_when_a_late_stream_is_left(
    driven: Driven, a: Upstream, lines: Lines, answer: Answer
) -> None:
    a.says(answer)
    reply = driven.begin(STREAM_MSG)
    first = next(iter(reply.body))
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 1

    close(reply)

    assert first
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
    assert [fields["outcome"] for fields in lines.ended] == ["client_left"]
    until("the upstream's connection closed", a.only().closed.is_set)


def test_a_late_error_is_settled_once_as_refused(driven: Driven, a: Upstream, lines: Lines) -> None:
    a.says(late_error(529, "overloaded_error"))

    read(driven.begin(STREAM_MSG))

    assert [fields["outcome"] for fields in lines.ended] == ["refused"]
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
