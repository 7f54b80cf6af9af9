"""What good answers teach the routing: load, latency, where sessions are (behaviour 7.3)."""

from typing import Any

import pytest

from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven, close, quick
from tests.exchange.routed import message, order
from tests.scripted import messages
from tests.scripted.answers import says_error, says_message, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

SESSION = {"x-claude-code-session-id": "5e551012"}
LATE_S = 0.08


def strategy(name: str, **settings: Any) -> dict[str, Any]:
    return {"strategy": name, **settings}


# least_loaded


def test_the_provider_with_fewest_exchanges_in_flight_comes_first(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    routing = strategy("least_loaded")
    driven = drive(config(provider("A", a, "ka"), provider("B", b, "kb"), routing=routing))
    for upstream in (a, b):
        upstream.answers_with(streams(*messages.beginning(), ends="open"))
    assert order(driven) == "AB"

    replies = [driven.begin(STREAM_MSG) for _ in range(3)]

    assert (len(a.requests), len(b.requests)) == (2, 1)
    assert order(driven) == "BA"
    close(replies[0])
    close(replies[2])
    assert order(driven) == "AB"
    close(replies[1])
    assert order(driven) == "BA"  # that of A began last


def test_an_attempt_that_failed_is_in_flight_no_more(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    routing = strategy("least_loaded")
    driven = drive(config(provider("A", a, "ka"), provider("B", b, "kb"), routing=routing))
    a.says(says_error(503, "overloaded_error"))
    b.says(streams(*messages.beginning(), ends="open"))

    reply = driven.begin(STREAM_MSG)

    assert order(driven) == "AB"
    close(reply)


def test_nobody_counts_exchanges_for_other_strategies(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "ka"), provider("B", b, "kb")))
    a.says(streams(*messages.beginning(), ends="open"))

    reply = driven.begin(STREAM_MSG)

    assert [load.held for load in driven.lasting.store.loads(["provider/A"])] == [0]
    close(reply)


# latency_based


@pytest.fixture
def fastest(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    settings = config(
        provider("A", a, "ka"), provider("B", b, "kb"), routing=strategy("latency_based")
    )
    return drive(settings, lambda loaded: quick(loaded, first_event_ms=40))


def test_whoever_has_not_answered_yet_is_asked_and_then_the_fastest(
    fastest: Driven, a: Upstream, b: Upstream
) -> None:
    a.answers_with(says_message(before=(LATE_S,)))

    for _ in range(5):
        fastest.ask()

    assert (len(a.requests), len(b.requests)) == (1, 4)


def test_a_stream_is_as_fast_as_its_first_content(
    fastest: Driven, a: Upstream, b: Upstream
) -> None:
    start, *rest = messages.text_stream()
    a.answers_with(streams(start, LATE_S, *rest))
    b.answers_with(streams(*messages.text_stream()[:-1], LATE_S, messages.text_stream()[-1]))

    for _ in range(4):
        fastest.ask(STREAM_MSG)

    assert (len(a.requests), len(b.requests)) == (1, 3)


def test_a_stream_that_was_committed_before_it_came_counts_as_slow(
    fastest: Driven, a: Upstream, b: Upstream
) -> None:
    a.answers_with(streams(before=(LATE_S,)))

    for _ in range(4):
        assert fastest.ask(STREAM_MSG).status == 200

    assert (len(a.requests), len(b.requests)) == (1, 3)


def test_an_answer_that_failed_says_nothing_of_speed(
    fastest: Driven, a: Upstream, b: Upstream
) -> None:
    a.answers_with(says_error(500, "api_error"))

    for _ in range(3):
        fastest.ask()

    assert (len(a.requests), len(b.requests)) == (3, 3)


def test_models_are_told_apart(fastest: Driven, a: Upstream, b: Upstream) -> None:
    a.answers_with(says_message(before=(LATE_S,)))
    fastest.ask(message("claude-x"))
    fastest.ask(message("claude-x"))

    assert order(fastest, message("claude-x")) == "BA"
    assert order(fastest, message("claude-y")) == "AB"
    assert (len(a.requests), len(b.requests)) == (1, 1)


def test_after_ten_minutes_everybody_is_tried_anew(fastest: Driven, a: Upstream) -> None:
    a.answers_with(says_message(before=(LATE_S,)))
    fastest.ask()
    fastest.ask()
    assert order(fastest) == "BA"

    fastest.clock.ahead_s += 601

    assert order(fastest) == "AB"


# cache_affinity


@pytest.fixture
def cached(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A session that new sessions' hash sends to A, with two keys each."""
    routing = strategy("cache_affinity", session_ttl_ms=600_000)
    ours = [provider("A", a, "a1", "a2"), provider("B", b, "b1", "b2")]
    driven = drive(config(*ours, routing=routing), lambda loaded: quick(loaded, first_event_ms=40))
    assert order(driven, headers=SESSION) == "AB", "choose another id"
    return driven


def keys(*upstreams: Upstream) -> list[str | None]:
    return [each.header("x-api-key") for upstream in upstreams for each in upstream.requests]


def test_a_session_stays_with_provider_and_key(cached: Driven, a: Upstream, b: Upstream) -> None:
    for _ in range(4):
        cached.ask(headers=SESSION)

    assert keys(a, b) == ["a1"] * 4


def test_a_session_that_was_moved_stays_where_its_cache_is(
    cached: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_error(500, "api_error"))
    for _ in range(4):
        cached.ask(headers=SESSION)

    assert keys(a, b) == ["a1", "b1", "b1", "b1", "b1"]


def test_a_key_that_has_recovered_steals_no_session(cached: Driven, a: Upstream) -> None:
    a.says(says_error(429, "rate_limit_error", headers={"retry-after": "5"}))
    cached.ask(headers=SESSION)
    cached.clock.ahead_s += 6
    for _ in range(3):
        cached.ask(headers=SESSION)

    assert keys(a) == ["a1", "a2", "a2", "a2", "a2"]


def test_a_session_whose_key_rests_goes_to_another_key_of_its_provider(
    cached: Driven, a: Upstream, b: Upstream
) -> None:
    cached.ask(headers=SESSION)
    cached.runtime.means.upstreams[0].pool.rest(0, 60)
    for _ in range(2):
        cached.ask(headers=SESSION)

    assert keys(a, b) == ["a1", "a2", "a2"]


def test_only_a_committed_answer_moves_a_session(cached: Driven, a: Upstream, b: Upstream) -> None:
    a.says(says_error(500, "api_error"))
    b.says(says_error(500, "api_error"))
    assert cached.ask(headers=SESSION).status == 500

    assert order(cached, headers=SESSION) == "AB"


def test_a_stream_that_was_committed_before_it_came_holds_its_session(
    cached: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_error(500, "api_error"))
    b.says(streams(before=(LATE_S,)))
    assert cached.ask(STREAM_MSG, SESSION).status == 200

    assert order(cached, STREAM_MSG, headers=SESSION) == "BA"


def test_a_session_is_forgotten_in_its_time(cached: Driven, a: Upstream) -> None:
    a.says(says_error(500, "api_error"))
    cached.ask(headers=SESSION)
    assert order(cached, headers=SESSION) == "BA"

    cached.clock.ahead_s += 601

    assert order(cached, headers=SESSION) == "AB"


def test_without_a_session_the_route_is_that_of_failover(
    cached: Driven, a: Upstream, b: Upstream
) -> None:
    for _ in range(2):
        cached.ask()

    assert (len(a.requests), len(b.requests)) == (2, 0)
    assert keys(a) == ["a1", "a2"]
