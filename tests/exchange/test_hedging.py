"""A second provider is asked beside a silent first one (behaviour 8.1)."""

from collections.abc import Mapping

import gevent
import pytest

from relay.breaker.transitions import State
from relay.errors import ClientLeft, InvalidRequest
from tests.exchange import routed
from tests.exchange.conftest import Beside, Drive, Lines
from tests.exchange.driving import Driven, close, quick
from tests.exchange.hedged import (
    HEDGE_MS,
    QUICK,
    SLOW_S,
    budget,
    cancelled,
    hedging,
    is_over,
    late,
    two,
)
from tests.exchange.leaving import Client
from tests.exchange.waiting import outcome
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import provider
from tests.scripted.upstream import Upstream


@pytest.fixture
def driven(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A is asked first, then B."""
    return drive(hedging(*two(a, b)))


SILENT: Mapping[str, Answer] = {
    "no headers": says_nothing("open"),
    "no event": streams(SLOW_S),
    "no content": streams(messages.message_start()[:-1], SLOW_S),
}


@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
@pytest.mark.parametrize("silence", SILENT)
def test_the_second_wins_while_the_first_is_silent(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, *, body: bytes, silence: str
) -> None:
    a.says(SILENT[silence])
    b.says(QUICK[body]("from B"))

    served = driven.ask(body)

    assert served.status == 200
    assert b"from B" in served.content
    assert not served.cut
    assert served.header("x-cc-relay-provider") == "B"
    assert served.header("x-cc-relay-attempts") == "2"
    assert cancelled(a.only())
    (ended,) = lines.ended
    assert (ended["provider"], ended["key"], ended["attempts"]) == ("B", "B/0", 2)
    assert (ended["outcome"], ended["output_tokens"]) == ("complete", 7)
    assert 0.09 < b.only().arrived_at - a.only().arrived_at < 0.6
    assert routed.state(driven, "A") is State.CLOSED
    assert is_over(driven)


@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
def test_the_first_wins_if_it_is_only_a_littlelate(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, *, body: bytes
) -> None:
    a.answers_with(late(QUICK[body]("from A"), 0.3))
    b.says(says_nothing("open"))

    served = driven.ask(body)

    assert b"from A" in served.content
    assert served.header("x-cc-relay-provider") == "A"
    assert served.header("x-cc-relay-attempts") == "2"
    assert cancelled(b.only())
    (ended,) = lines.ended
    assert (ended["provider"], ended["key"], ended["attempts"]) == ("A", "A/0", 2)
    assert routed.state(driven, "B") is State.CLOSED
    assert is_over(driven)


def test_a_first_that_is_in_time_stays_alone(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(hedging(*two(a, b), hedge_after_ms=1000))
    a.says(streams(*messages.text_stream("from A"), pause_s=0.03))
    before = budget(driven)

    served = driven.ask(STREAM_MSG)

    assert b"from A" in served.content
    assert not b.requests
    assert [each["attempts"] for each in lines.ended] == [1]
    assert budget(driven) >= before


def test_a_first_that_fails_in_time_is_followed_as_ever(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(hedging(*two(a, b), hedge_after_ms=1000))
    a.says(says_error(503, "api_error"))
    b.says(says_message("from B"))

    assert b"from B" in driven.ask().content
    assert [each["attempts"] for each in lines.ended] == [2]
    assert b.only().arrived_at - a.only().arrived_at < 0.8
    assert routed.state(driven, "A") is State.OPEN


def test_an_answer_that_nobody_else_is_asked_about_wins(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_nothing("open"))
    b.says(says_error(400, "invalid_request_error", "from B"))

    served = driven.ask()

    assert (served.status, b"from B" in served.content) == (400, True)
    assert cancelled(a.only())
    assert is_over(driven)


@pytest.mark.parametrize("first_fails_after_s", [0.2, 0.6])
def test_of_two_failures_the_client_gets_the_last_answer(
    driven: Driven, a: Upstream, b: Upstream, first_fails_after_s: float
) -> None:
    a.answers_with(late(says_error(503, "api_error", "from A"), first_fails_after_s))
    b.answers_with(late(says_error(529, "overloaded_error", "from B"), 0.3))

    served = driven.ask()

    last = "B" if first_fails_after_s < 0.4 else "A"
    assert f"from {last}".encode() in served.content
    assert served.header("x-cc-relay-provider") == last
    assert served.header("x-cc-relay-attempts") == "2"
    assert {routed.state(driven, name) for name in "AB"} == {State.OPEN}
    assert is_over(driven)


def test_after_two_failures_a_third_is_asked(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(hedging(*two(a, b), provider("C", b, "c1", priority=0)))
    a.answers_with(late(says_error(503, "api_error"), 0.2))
    b.says(says_error(503, "api_error"), says_message("from C"))

    served = driven.ask()

    assert b"from C" in served.content
    assert [request.header("x-api-key") for request in b.requests] == ["b1", "c1"]
    assert [each["attempts"] for each in lines.ended] == [3]


def test_when_one_says_that_nobody_else_is_asked_nobody_is(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(hedging(*two(a, b), provider("C", b, "c1", priority=0), retry_ambiguous=False))
    a.answers_with(says_nothing("close", 0.2))
    b.answers_with(late(says_error(503, "api_error"), 0.3))

    assert driven.ask().status == 503
    assert len(b.requests) == 1


def test_a_first_that_stays_silent_for_the_gate_s_time_is_shown_with_pings(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        hedging(*two(a, b)), lambda each: quick(each, first_event_ms=300, ping_interval_ms=50)
    )
    a.answers_with(late(QUICK[STREAM_MSG]("from A"), 0.6))
    b.says(says_nothing("open"))

    served = driven.ask(STREAM_MSG)

    assert b"from A" in served.content
    assert not served.cut
    assert cancelled(b.only())
    assert is_over(driven)


@pytest.mark.parametrize(("hedge_after_ms", "both"), [(5000, False), (HEDGE_MS, True)])
def test_a_client_that_leaves_ends_all_that_runs(  # noqa: PLR0917  pytest passes by name
    drive: Drive,
    a: Upstream,
    b: Upstream,
    lines: Lines,
    beside: Beside,
    client: Client,
    *,
    hedge_after_ms: int,
    both: bool,
) -> None:
    driven = drive(hedging(*two(a, b), hedge_after_ms=hedge_after_ms))
    a.says(says_nothing("open"))
    b.says(says_nothing("open"))
    one = beside(driven).ask(presence=client.presence)
    gevent.sleep(0.4)

    client.leaves_soon()

    assert isinstance(outcome(one), ClientLeft)
    assert all(cancelled(request) for request in a.requests + b.requests)
    assert len(b.requests) == both
    assert [each["outcome"] for each in lines.ended] == ["client_left"]
    assert {routed.state(driven, name) for name in "AB"} == {State.CLOSED}
    assert is_over(driven)


def test_a_client_that_leaves_after_commit_ends_the_winner(
    driven: Driven, a: Upstream, b: Upstream, lines: Lines, client: Client
) -> None:
    a.says(says_nothing("open"))
    b.says(streams(*messages.beginning(), SLOW_S))
    reply = driven.begin(STREAM_MSG, presence=client.presence)
    pieces = iter(reply.body)
    next(pieces)
    client.leaves_soon()

    with pytest.raises(ClientLeft):
        list(pieces)
    close(reply)

    assert cancelled(b.only())
    assert cancelled(a.only())
    assert [each["outcome"] for each in lines.ended] == ["client_left"]
    assert is_over(driven)


def test_a_credential_of_the_client_s_own_is_shown_to_one_host_only(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_nothing("open"))
    b.says(says_message())

    driven.ask(headers={"authorization": "Bearer their-own"})

    assert a.only().header("authorization") == "Bearer their-own"
    assert "their-own" not in b.only().text()
    assert b.only().header("x-api-key") == "b1"


def test_what_cannot_be_sent_is_refused_and_nobody_hears_of_it(
    driven: Driven, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidRequest):
        driven.begin(query="a b")

    assert capfd.readouterr().err == ""
    assert [each["status"] for each in lines.ended] == [400]
    assert is_over(driven)
