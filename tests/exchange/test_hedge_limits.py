"""When a second provider is asked, and when nobody is (behaviour 8.1, 8.3)."""

from collections.abc import Mapping
from typing import Any

import pytest

from relay.exchange.inbound import COUNT_TOKENS
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven
from tests.exchange.hedged import budget, hedging, late, two
from tests.scripted import messages
from tests.scripted.answers import says_error, says_message, says_nothing, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import provider
from tests.scripted.upstream import Upstream


@pytest.fixture
def driven(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A is asked first, then B."""
    return drive(hedging(*two(a, b)))


def test_a_hedge_takes_one_from_the_retry_budget(driven: Driven, a: Upstream, b: Upstream) -> None:
    a.says(says_nothing("open"))
    b.says(says_message())
    before = budget(driven)

    driven.ask()

    ratio = driven.runtime.config.routing.retry_budget.ratio
    assert budget(driven) == pytest.approx(before + ratio - 1)


NOBODY: Mapping[str, dict[str, Any]] = {
    "the retry budget is empty": {"retry_budget": {"ratio": 0.0, "reserve": 0}},
    "one attempt is all there may be": {"max_attempts": 1},
    "hedging is off": {"hedge_after_ms": 0},
}


@pytest.mark.parametrize("why", NOBODY)
def test_nobody_else_is_asked_where_nobody_may_be(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines, why: str
) -> None:
    driven = drive(hedging(*two(a, b), **NOBODY[why]))
    a.answers_with(late(says_message("from A"), 0.3))

    assert b"from A" in driven.ask().content
    assert not b.requests
    assert [each["attempts"] for each in lines.ended] == [1]


def test_where_there_is_nobody_else_the_budget_is_left_alone(drive: Drive, a: Upstream) -> None:
    driven = drive(hedging(provider("A", a, "a1", "a2")))
    a.answers_with(late(says_message("from A"), 0.3))
    before = budget(driven)

    assert b"from A" in driven.ask().content
    assert len(a.requests) == 1
    assert budget(driven) >= before


def test_a_provider_that_failed_twice_is_no_second(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(hedging(*two(a, b, "a1", "a2", "a3")))
    refused = says_error(429, "rate_limit_error", headers={"retry-after": "1"})
    a.says(refused, refused, says_message("from a3"))
    b.answers_with(late(says_message("from B"), 0.3))

    assert b"from B" in driven.ask().content
    assert [request.header("x-api-key") for request in a.requests] == ["a1", "a2"]


def test_the_time_for_more_runs_from_the_first_failure_of_the_two(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    third = provider("C", b, "c1", priority=0)
    driven = drive(hedging(*two(a, b), third, failover_timeout=200))
    a.answers_with(late(says_error(503, "api_error"), 0.15))
    b.answers_with(late(says_error(503, "api_error", "from B"), 0.5))

    served = driven.ask()

    assert served.status == 503
    assert len(b.requests) == 1


def test_a_count_of_tokens_is_not_hedged(driven: Driven, a: Upstream, b: Upstream) -> None:
    a.answers_with(late(says_message(), 0.3))

    assert driven.ask(path=COUNT_TOKENS).status == 200
    assert not b.requests


def test_a_committed_stream_is_not_hedged_however_silent(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    begun, *rest = messages.text_stream("from A")
    a.says(streams(begun, *rest[:2], 0.4, *rest[2:]))

    assert b"from A" in driven.ask(STREAM_MSG).content
    assert not b.requests
