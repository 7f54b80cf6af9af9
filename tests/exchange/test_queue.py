"""Waiting for room: who waits, and who is served when (behaviour 9.7)."""

from threading import Event

from relay.exchange.inbound import COUNT_TOKENS
from tests.exchange.conftest import Beside, Drive
from tests.exchange.waiting import asks, in_line, limited, outcome, queueing, rest, texts
from tests.scripted.answers import says_error, says_message
from tests.scripted.upstream import Upstream

AT_ONCE_S = 0.5


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
