"""Waiting for room: who waits, for how long, and what ends it (behaviour 9.7)."""

import json
from threading import Event
from typing import Any

import pytest

from relay.errors import ClientLeft, KeysResting
from relay.exchange.inbound import COUNT_TOKENS
from relay.stream.drain import Draining
from tests.exchange.conftest import Beside, Drive, Lines
from tests.exchange.leaving import Client
from tests.exchange.waiting import in_line, limited, outcome, queueing, rest
from tests.scripted.answers import says_error, says_message
from tests.scripted.upstream import Upstream

AT_ONCE_S = 0.2


def asks(text: str, model: str = "claude-x", **fields: Any) -> bytes:
    """A request to be known by its text."""
    said = [{"role": "user", "content": text}]
    return json.dumps({"model": model, "max_tokens": 5, "messages": said} | fields).encode()


def texts(upstream: Upstream) -> list[str]:
    """What was asked, in the order it arrived."""
    return [request.fields()["messages"][0]["content"] for request in upstream.requests]


def test_a_window_that_moves_on_makes_room(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a, rpm_limit=1)))
    driven.ask(asks("first"))
    driven.clock.ahead_s += 50
    second = beside(driven).ask(asks("second"))
    in_line(driven, 1)
    assert texts(a) == ["first"]

    driven.clock.ahead_s += 11

    assert outcome(second).status == 200
    assert texts(a) == ["first", "second"]
    assert driven.lasting.lines.waiting == 0


def test_an_exchange_that_used_less_than_it_took_makes_room(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a, tpm_limit=1000)))
    hold = Event()
    a.says(says_message(before=(hold,)))
    waiting = beside(driven)
    first = waiting.ask(asks("first", max_tokens=900))
    second = waiting.ask(asks("second", max_tokens=900))
    in_line(driven, 1)
    assert texts(a) in ([], ["first"])

    hold.set()

    assert outcome(first).status == outcome(second).status == 200
    assert texts(a) == ["first", "second"]


def test_a_full_queue_says_at_once_when_there_may_be_room(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a), queue_size=1))
    rest(driven, 15.0)
    waiting = beside(driven)
    waiting.ask()
    in_line(driven, 1)

    refused = outcome(waiting.ask(), AT_ONCE_S)

    assert isinstance(refused, KeysResting)
    assert refused.retry_after_s == pytest.approx(15.0, abs=1.0)
    assert driven.lasting.lines.waiting == 1
    assert not a.requests


def test_the_places_of_all_lines_are_counted_together(
    drive: Drive, a: Upstream, b: Upstream, beside: Beside
) -> None:
    driven = drive(
        queueing(
            limited(a),
            limited(b, "B"),
            queue_size=1,
            strategy="model_based",
            model_mapping={"claude-a": "A", "claude-b": "B"},
            default_provider="A",
        )
    )
    rest(driven, 15.0, "A", "B")
    waiting = beside(driven)
    waiting.ask(asks("a", "claude-a"))
    in_line(driven, 1)

    refused = outcome(waiting.ask(asks("b", "claude-b")), AT_ONCE_S)

    assert isinstance(refused, KeysResting)
    assert refused.retry_after_s == pytest.approx(15.0, abs=1.0)


def test_a_wait_for_nothing_ends_with_429(
    drive: Drive, a: Upstream, lines: Lines, beside: Beside
) -> None:
    driven = drive(queueing(limited(a, rpm_limit=1), queue_ms=300))
    driven.ask()
    waiting = beside(driven)
    both = [waiting.ask(), waiting.ask()]
    in_line(driven, 2)

    refused = [outcome(one) for one in both]

    assert all(isinstance(error, KeysResting) for error in refused)
    assert [error.retry_after_s for error in refused] == [pytest.approx(60, abs=1)] * 2
    assert len(a.requests) == 1
    assert driven.lasting.lines.waiting == driven.lasting.running.count == 0
    assert [each["attempts"] for each in lines.ended] == [1, 0, 0]


@pytest.mark.parametrize("limits", [{}, {"rpm_limit": 5}, {"tpm_limit": 500}])
def test_keys_that_rest_for_longer_than_the_queue_are_not_waited_for(
    drive: Drive, a: Upstream, beside: Beside, limits: dict[str, Any]
) -> None:
    driven = drive(queueing(limited(a, **limits), queue_ms=2000))
    rest(driven, 30.0)

    refused = outcome(beside(driven).ask(), AT_ONCE_S)

    assert isinstance(refused, KeysResting)
    assert refused.retry_after_s == pytest.approx(30.0, abs=1.0)


def test_a_key_whose_rest_ends_in_time_is_waited_for(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a), queue_ms=2000))
    rest(driven, 0.4)

    assert outcome(beside(driven).ask()).status == 200


def test_of_two_providers_the_one_with_room_first_is_asked(
    drive: Drive, a: Upstream, b: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a), limited(b, "B")))
    rest(driven, 10.0, "A")
    rest(driven, 0.3, "B")

    assert outcome(beside(driven).ask()).status == 200
    assert (len(a.requests), len(b.requests)) == (0, 1)


def test_who_arrives_does_not_overtake_who_waits(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a, rpm_limit=1)))
    driven.ask(asks("first"))
    driven.clock.ahead_s += 50
    waiting = beside(driven)
    second = waiting.ask(asks("second"))
    in_line(driven, 1)

    driven.clock.ahead_s += 10.5  # there is room from here on, and nobody has looked yet
    waiting.ask(asks("third"))

    assert outcome(second).status == 200
    assert texts(a) == ["first", "second"]


def test_a_conversation_is_served_before_its_sub_agents_that_came_first(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a, rpm_limit=1)))
    driven.ask(asks("first"))
    driven.clock.ahead_s += 50
    waiting = beside(driven)
    session = {"x-claude-code-session-id": "s"}
    waiting.ask(asks("sub-agent"), {**session, "x-claude-code-agent-id": "a"})
    in_line(driven, 1)
    conversation = waiting.ask(asks("conversation"), session)
    in_line(driven, 2)

    driven.clock.ahead_s += 10.5

    assert outcome(conversation).status == 200
    assert texts(a) == ["first", "conversation"]


def test_with_a_key_in_hand_nobody_is_waited_for(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a)))
    rest(driven, 0.4)
    hold = Event()
    a.answers_with(says_message(before=(hold,)))
    waiting = beside(driven)
    both = [waiting.ask(asks("first")), waiting.ask(asks("second"))]
    in_line(driven, 2)

    in_line(driven, 0)

    hold.set()
    assert [outcome(one).status for one in both] == [200, 200]


def test_a_failure_after_the_wait_is_judged_as_any_other(
    drive: Drive, a: Upstream, b: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a), limited(b, "B")))
    rest(driven, 0.3, "A", "B")
    a.says(says_error(503, "api_error"))

    assert outcome(beside(driven).ask()).status == 200
    assert (len(a.requests), len(b.requests)) == (1, 1)


def test_who_may_go_elsewhere_does_not_wait(
    drive: Drive, a: Upstream, b: Upstream, beside: Beside
) -> None:
    driven = drive(
        queueing(
            limited(a),
            limited(b, "B"),
            strategy="model_based",
            model_mapping={"claude-a": "A", "claude-b": "B"},
            default_provider="A",
        )
    )
    rest(driven, 15.0, "A")
    waiting = beside(driven)
    waiting.ask(asks("a", "claude-a"))
    in_line(driven, 1)

    assert outcome(waiting.ask(asks("b", "claude-b")), AT_ONCE_S).status == 200


def test_who_needs_no_key_of_ours_does_not_stand_behind_those_who_do(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a)))
    rest(driven, 15.0)
    waiting = beside(driven)
    waiting.ask(asks("ours"))
    in_line(driven, 1)

    own = waiting.ask(asks("own"), {"authorization": "Bearer their-own"})

    assert outcome(own, 1.0).status == 200
    assert a.only().header("authorization") == "Bearer their-own"


def test_a_count_of_tokens_waits_for_a_key(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a)))
    rest(driven, 0.3)

    counted = beside(driven).ask(path=COUNT_TOKENS)

    assert outcome(counted).status == 200
    assert a.only().path == COUNT_TOKENS


def test_a_count_that_is_estimated_here_does_not_wait(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = drive(queueing(limited(a)))
    a.says(says_error(404, "not_found_error"))
    driven.ask(path=COUNT_TOKENS)
    rest(driven, 15.0)
    waiting = beside(driven)
    waiting.ask()
    in_line(driven, 1)

    counted = outcome(waiting.ask(path=COUNT_TOKENS), AT_ONCE_S)

    assert counted.json()["input_tokens"] >= 1


def test_who_leaves_gives_up_the_place(
    drive: Drive, a: Upstream, lines: Lines, beside: Beside, client: Client
) -> None:
    driven = drive(queueing(limited(a), queue_size=2))
    rest(driven, 0.6)
    waiting = beside(driven)
    leaver = waiting.ask(asks("leaves"), presence=client.presence)
    stays = waiting.ask(asks("stays"))
    in_line(driven, 2)

    client.leaves_soon()

    assert isinstance(outcome(leaver, 1.0), ClientLeft)
    in_line(driven, 1)
    assert outcome(stays).status == 200
    assert texts(a) == ["stays"]
    assert driven.lasting.running.count == 0
    assert [(each["status"], each["outcome"]) for each in lines.ended] == [
        (499, "client_left"),
        (200, "complete"),
    ]


def test_a_worker_that_ends_waits_no_longer(
    drive: Drive, a: Upstream, lines: Lines, beside: Beside, client: Client
) -> None:
    driven = drive(queueing(limited(a)))
    rest(driven, 10.0)
    one = beside(driven).ask(presence=client.presence)
    in_line(driven, 1)

    client.is_told_of_the_end_soon()

    assert isinstance(outcome(one, 1.0), Draining)
    assert driven.lasting.lines.waiting == driven.lasting.running.count == 0
    assert [each["status"] for each in lines.ended] == [503]
    assert not a.requests


def test_without_a_queue_nobody_waits(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a), queue_ms=0))
    rest(driven, 0.3)

    assert isinstance(outcome(beside(driven).ask(), AT_ONCE_S), KeysResting)


def test_a_queue_without_places_lets_nobody_wait(drive: Drive, a: Upstream, beside: Beside) -> None:
    driven = drive(queueing(limited(a), queue_size=0))
    rest(driven, 5.0)

    refused = outcome(beside(driven).ask(), AT_ONCE_S)

    assert refused.retry_after_s == pytest.approx(5.0, abs=1.0)
