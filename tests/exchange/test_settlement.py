"""Every exchange ends exactly once, with everything given back, whatever way it ends."""

import contextlib
from collections.abc import Callable, Mapping

import pytest

from relay.errors import InvalidRequest, RelayError, StreamCut
from relay.exchange.settle import Settlement
from relay.messages.usage import Usage
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, close, quick, read
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")), lambda loaded: quick(loaded, idle_ms=60))


def nothing_is_held(driven: Driven) -> bool:
    return driven.in_flight("A", "k1") == driven.lasting.running.count == 0


ENDINGS: Mapping[str, tuple[Answer, int, str]] = {
    "a message": (says_message(), 200, "complete"),
    "a stream": (streams(), 200, "complete"),
    "a compressed stream": (streams(gzip=True), 200, "complete"),
    "a stream that stays open behind its end": (streams(ends="open"), 200, "complete"),
    "a stream cut short": (streams(*messages.beginning(), ends="close"), 200, "broken"),
    "a stream reset": (streams(*messages.beginning(), 0.02, ends="reset"), 200, "broken"),
    "a stream gone silent": (streams(*messages.beginning(), ends="open"), 200, "silent"),
    "an unfinished stream": (streams(*messages.beginning()), 200, "broken"),
    "a stream with an error event": (
        streams(*messages.beginning(), messages.event("error", error={"type": "api_error"})),
        200,
        "errored",
    ),
    "a refusal": (says_error(400, "invalid_request_error"), 400, "complete"),
    "a refusal cut short": (
        says(400, {"Content-Type": "text/plain", "Content-Length": "9"}, b"x", ends="close"),
        400,
        "broken",
    ),
    "a failure": (says_error(503, "overloaded_error"), 503, "complete"),
    "an error event": (
        streams(messages.event("error", error={"type": "rate_limit_error", "message": "x"})),
        429,
        "complete",
    ),
    "no credential": (says_error(401, "authentication_error"), 502, "api_error"),
    "no answer": (says_nothing("close"), 502, "api_error"),
    "an empty answer": (says(200, {"Content-Type": "application/json"}), 502, "api_error"),
}


@pytest.mark.parametrize("what", ENDINGS)
def test_every_way_to_end_is_settled_once(
    driven: Driven, a: Upstream, lines: Lines, what: str
) -> None:
    answer, status, outcome = ENDINGS[what]
    a.says(answer)

    with contextlib.suppress(RelayError):
        driven.ask(STREAM_MSG)

    assert nothing_is_held(driven)
    assert [(ended["status"], ended["outcome"]) for ended in lines.ended] == [(status, outcome)]
    assert lines.ended[0]["provider"] == "A"
    assert lines.ended[0]["key"] == "A/0"
    assert lines.ended[0]["attempts"] == 1


def test_a_body_never_read_is_settled_when_it_is_closed(
    driven: Driven, a: Upstream, lines: Lines
) -> None:
    a.says(streams(*messages.beginning(), ends="open"))
    reply = driven.begin(STREAM_MSG)
    assert driven.in_flight("A", "k1") == 1

    close(reply)

    assert nothing_is_held(driven)
    assert [ended["outcome"] for ended in lines.ended] == ["client_left"]
    until("the upstream's connection closed", a.only().closed.is_set)


def test_a_body_left_in_the_middle_books_what_was_used(
    driven: Driven, a: Upstream, lines: Lines
) -> None:
    a.says(streams(*messages.beginning(), ends="open"))
    reply = driven.begin(STREAM_MSG)
    next(iter(reply.body))

    close(reply)
    close(reply)

    assert nothing_is_held(driven)
    (ended,) = lines.ended
    assert ended["outcome"] == "client_left"
    assert ended["input_tokens"] == messages.USAGE["input_tokens"]


def test_closing_after_the_end_settles_nothing_twice(
    driven: Driven, a: Upstream, lines: Lines
) -> None:
    a.says(streams())
    reply = driven.begin(STREAM_MSG)
    read(reply)

    close(reply)

    assert nothing_is_held(driven)
    assert len(lines.ended) == 1


def test_a_body_read_on_after_its_end_stays_ended(driven: Driven, a: Upstream) -> None:
    a.says(streams(*messages.beginning(), ends="close"))
    reply = driven.begin(STREAM_MSG)
    with pytest.raises(StreamCut):
        list(reply.body)
    close(reply)

    assert list(reply.body) == []


def test_keys_that_failed_are_given_back_before_the_next_is_used(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1", "k2", priority=2), provider("B", b, "kb")))
    a.answers_with(says_error(429, "rate_limit_error"))
    b.says(streams(*messages.beginning(), ends="open"))

    reply = driven.begin(STREAM_MSG)

    assert driven.in_flight("A", "k1") == driven.in_flight("A", "k2") == 0
    assert driven.in_flight("B", "kb") == 1
    close(reply)
    assert driven.in_flight("B", "kb") == 0


def test_the_line_tells_what_was_asked_served_and_used(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(
        config(
            provider("A", a, "k1", priority=2),
            provider("B", b, "kb", model_mapping={"claude-x": "m1"}),
        )
    )
    a.says(says_error(503, "overloaded_error"))
    b.says(streams())

    driven.ask(STREAM_MSG)

    (ended,) = lines.ended
    assert ended["model"] == "claude-x"
    assert ended["model_sent"] == "m1"
    assert (ended["provider"], ended["key"], ended["attempts"]) == ("B", "B/0", 2)
    assert ended["mutations"] == ["model: claude-x → m1"]
    assert (ended["input_tokens"], ended["output_tokens"]) == (11, 7)
    assert (ended["cache_read"], ended["cache_write"]) == (5, 3)
    assert 0 <= ended["first_byte_ms"] <= ended["duration_ms"]


@pytest.mark.parametrize("query", ["blank here", "caf\xe9", "a\x00b"])
def test_a_query_no_request_can_carry_is_refused_and_the_key_given_back(
    driven: Driven, a: Upstream, query: str
) -> None:
    with pytest.raises(InvalidRequest):
        driven.begin(MSG, query=query)

    assert nothing_is_held(driven)
    assert not a.requests


# The account itself


@pytest.fixture
def account(driven: Driven) -> Callable[[], Settlement]:
    return lambda: Settlement(driven.lasting, request_id="r", method="GET", path="/v1/x")


def test_what_is_owed_is_given_back_last_first_and_once(
    account: Callable[[], Settlement], lines: Lines
) -> None:
    settlement, given = account(), list[str]()
    settlement.owes(lambda: given.append("slot"))
    settlement.owes(lambda: given.append("lease"))

    settlement.end(200, "complete")
    settlement.end(500, "api_error")

    assert given == ["lease", "slot"]
    assert [ended["status"] for ended in lines.ended] == [200]


def test_the_line_of_an_exchange_without_an_attempt_names_no_tokens(
    account: Callable[[], Settlement], lines: Lines
) -> None:
    account().end(401, "authentication_error", Usage())

    (ended,) = lines.ended
    assert ended["input_tokens"] is None
    assert ended["attempts"] == 0
    assert ended["first_byte_ms"] is None
