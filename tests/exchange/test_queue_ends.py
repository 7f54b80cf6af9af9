"""Waiting for room: what ends it, and who may not wait at all (behaviour 9.7)."""

from typing import Any

import pytest

from relay.errors import ClientLeft, KeysResting
from relay.stream.drain import Draining
from tests.exchange.conftest import Beside, Drive, Lines
from tests.exchange.leaving import Client
from tests.exchange.waiting import asks, in_line, limited, outcome, queueing, rest, texts
from tests.scripted.upstream import Upstream

AT_ONCE_S = 0.5


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
