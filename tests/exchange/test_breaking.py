"""Breakers at work: what opens them, and what is sent while they are open (behaviour 10.1)."""

from collections.abc import Mapping
from typing import Any

import pytest

from relay.breaker.transitions import State
from relay.errors import AllUnhealthy, RelayError
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, close, quick, read
from tests.exchange.routed import fail, state
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_message, says_nothing, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

OPEN_S = 20
OWN = {"authorization": "Bearer own"}


def health(threshold: int = 1, probes: int = 1) -> dict[str, Any]:
    return {
        "circuit_breaker": {
            "failure_threshold": threshold,
            "open_duration_ms": OPEN_S * 1000,
            "half_open_probes": probes,
        }
    }


@pytest.fixture
def alone(drive: Drive, a: Upstream) -> Driven:
    """One provider, whose breaker opens at the first failure."""
    settings = config(provider("A", a, "k1"), health=health())
    return drive(settings, lambda loaded: quick(loaded, idle_ms=60, first_byte_ms=150))


def ask(driven: Driven, body: bytes = STREAM_MSG, headers: Mapping[str, str] | None = None) -> int:
    """The status the client gets."""
    try:
        return driven.ask(body, headers or {}).status
    except RelayError as error:
        return error.status


FAILURES: dict[str, Answer] = {
    "500": says_error(500, "api_error"),
    "503": says_error(503, "overloaded_error"),
    "529": says_error(529, "overloaded_error"),
    "a redirect": says(302, {"Location": "http://127.0.0.1:9/"}),
    "no answer": says_nothing("close"),
    "a reset": says_nothing("reset"),
    "silence": says_nothing("open"),
    "an empty body": says(200, {"Content-Type": "text/event-stream"}),
    "a page": says(200, {"Content-Type": "text/html"}, b"<html>"),
    "an error event": streams(messages.event("error", error={"type": "overloaded_error"})),
    "a stream that breaks": streams(*messages.beginning(), ends="close"),
    "a stream that is reset": streams(*messages.beginning(), 0.02, ends="reset"),
    "a stream that falls silent": streams(*messages.beginning(), ends="open"),
    "a stream without its end": streams(*messages.beginning()),
    "a stream with an error event": streams(
        *messages.beginning(), messages.event("error", error={"type": "api_error"})
    ),
}

SUCCESSES: dict[str, Answer] = {
    "a message": says_message(),
    "a stream": streams(),
    "400": says_error(400, "invalid_request_error"),
    "401": says_error(401, "authentication_error"),
    "403": says_error(403, "permission_error"),
    "404": says_error(404, "not_found_error"),
    "413": says_error(413, "request_too_large"),
    "429": says_error(429, "rate_limit_error"),
    "an error event that is the request's": streams(
        messages.event("error", error={"type": "invalid_request_error"})
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_opens_the_breaker(alone: Driven, a: Upstream, what: str) -> None:
    a.says(FAILURES[what])

    ask(alone)

    assert state(alone, "A") is State.OPEN


@pytest.mark.parametrize("what", SUCCESSES)
def test_whatever_else_comes_opens_no_breaker(alone: Driven, a: Upstream, what: str) -> None:
    a.says(SUCCESSES[what])

    ask(alone)

    assert state(alone, "A") is State.CLOSED


@pytest.mark.parametrize("what", SUCCESSES)
def test_whatever_else_comes_starts_the_row_anew(drive: Drive, a: Upstream, what: str) -> None:
    driven = drive(config(provider("A", a, "k1", "k2", "k3"), health=health(threshold=2)))
    a.says(FAILURES["500"], SUCCESSES[what])
    ask(driven)
    ask(driven)

    fail(driven, "A")

    assert state(driven, "A") is State.CLOSED


def test_a_refused_connection_opens_the_breaker(
    drive: Drive, closed_port: str, a: Upstream
) -> None:
    driven = drive(config(provider("X", closed_port, "k"), provider("A", a, "k"), health=health()))

    assert ask(driven) == 200

    assert state(driven, "X") is State.OPEN
    assert state(driven, "A") is State.CLOSED


def test_it_opens_after_as_many_failures_in_a_row_as_configured(
    drive: Drive, a: Upstream, lines: Lines
) -> None:
    driven = drive(config(provider("A", a, "k1"), health=health(threshold=3)))
    a.answers_with(FAILURES["500"])

    assert [ask(driven) for _ in range(5)] == [500, 500, 500, 503, 503]

    assert len(a.requests) == 3
    (said,) = lines.of("breaker changed")
    assert (said["provider"], said["from"], said["to"]) == ("A", "closed", "open")


def test_while_it_is_open_nothing_is_sent_and_the_wait_is_named(alone: Driven, a: Upstream) -> None:
    a.says(FAILURES["503"])
    assert ask(alone) == 503
    alone.clock.ahead_s += 5

    with pytest.raises(AllUnhealthy) as raised:
        alone.ask()

    assert raised.value.retry_after_s == pytest.approx(OPEN_S - 5, abs=1)
    assert len(a.requests) == 1


def test_a_failing_provider_is_asked_no_more_while_another_serves(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    ours = provider("A", a, "ka", priority=2), provider("B", b, "kb")
    driven = drive(config(*ours, health=health(threshold=2)))
    a.answers_with(FAILURES["500"])

    assert [ask(driven) for _ in range(6)] == [200] * 6

    assert (len(a.requests), len(b.requests)) == (2, 6)


def test_one_success_closes_it_where_one_is_enough(alone: Driven, a: Upstream) -> None:
    a.says(FAILURES["500"])
    ask(alone)
    alone.clock.ahead_s += OPEN_S + 0.1

    assert state(alone, "A") is State.HALF_OPEN
    assert ask(alone) == 200
    assert state(alone, "A") is State.CLOSED


def test_half_open_it_closes_after_successes_and_opens_at_a_failure(
    drive: Drive, a: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1"), health=health(probes=2)))
    a.says(FAILURES["500"])
    ask(driven)

    driven.clock.ahead_s += OPEN_S + 0.1
    a.says(says_message(), FAILURES["500"])
    assert [ask(driven) for _ in range(3)] == [200, 500, 503]
    assert state(driven, "A") is State.OPEN

    driven.clock.ahead_s += OPEN_S + 0.1
    assert [ask(driven) for _ in range(2)] == [200, 200]
    assert state(driven, "A") is State.CLOSED


def test_half_open_only_so_many_are_let_through_and_the_others_go_elsewhere(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    ours = provider("A", a, "ka", priority=2), provider("B", b, "kb")
    driven = drive(config(*ours, health=health(probes=2)))
    fail(driven, "A")
    driven.clock.ahead_s += OPEN_S + 0.1
    a.answers_with(streams(*messages.beginning(), ends="open"))

    replies = [driven.begin(STREAM_MSG) for _ in range(4)]

    assert (len(a.requests), len(b.requests)) == (2, 2)
    close(replies[0])
    a.answers_with(streams())
    replies.append(driven.begin(STREAM_MSG))
    assert len(a.requests) == 3
    for reply in replies:
        close(reply)


def test_half_open_with_all_places_taken_there_is_nobody_to_ask(alone: Driven, a: Upstream) -> None:
    fail(alone, "A")
    alone.clock.ahead_s += OPEN_S + 0.1
    a.says(streams(*messages.beginning(), ends="open"))
    reply = alone.begin(STREAM_MSG)

    with pytest.raises(AllUnhealthy):
        alone.ask()

    assert len(a.requests) == 1
    close(reply)


def test_a_client_that_leaves_a_probe_decides_nothing_and_frees_its_place(
    alone: Driven, a: Upstream
) -> None:
    fail(alone, "A")
    alone.clock.ahead_s += OPEN_S + 0.1
    a.says(streams(*messages.beginning(), ends="open"))

    close(alone.begin(STREAM_MSG))

    assert state(alone, "A") is State.HALF_OPEN
    assert ask(alone) == 200
    assert state(alone, "A") is State.CLOSED


def test_a_probe_that_ends_late_decides_when_it_ends(alone: Driven, a: Upstream) -> None:
    fail(alone, "A")
    alone.clock.ahead_s += OPEN_S + 0.1
    a.says(streams())
    reply = alone.begin(STREAM_MSG)
    assert state(alone, "A") is State.HALF_OPEN

    read(reply)

    assert state(alone, "A") is State.CLOSED


@pytest.mark.parametrize("status", [429, 401, 403])
def test_what_a_client_s_own_credential_is_told_says_nothing_of_a_429(
    alone: Driven, a: Upstream, status: int
) -> None:
    fail(alone, "A")
    alone.clock.ahead_s += OPEN_S + 0.1
    a.says(says_error(status, "x"))

    assert ask(alone, headers=OWN) == status

    assert state(alone, "A") is (State.HALF_OPEN if status == 429 else State.CLOSED)


def test_what_is_refused_here_says_nothing(drive: Drive, a: Upstream) -> None:
    limited = {"key": "k1", "rpm_limit": 1}
    driven = drive(config(provider("A", a, keys=[limited]), health=health()))
    assert ask(driven) == 200
    fail(driven, "A")
    driven.clock.ahead_s += OPEN_S + 0.1

    assert ask(driven) == 429

    assert state(driven, "A") is State.HALF_OPEN
    assert len(a.requests) == 1
    driven.clock.ahead_s += 61
    assert ask(driven) == 200


def test_a_breaker_outlives_a_reload(drive: Drive, a: Upstream) -> None:
    settings = config(provider("A", a, "k1"), health=health())
    driven = drive(settings)
    fail(driven, "A")

    driven.renewed(settings)

    assert ask(driven) == 503
