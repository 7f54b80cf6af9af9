"""Limits of keys at work: reserved, settled and learned (behaviour 9.3, 9.4, 9.7)."""

from collections.abc import Mapping
from contextlib import suppress

import pytest

from relay.errors import KeysResting, UpstreamFailed
from relay.exchange.inbound import COUNT_TOKENS
from tests.exchange.conftest import Drive
from tests.exchange.driving import close
from tests.exchange.limits import limited, serves
from tests.exchange.routed import message
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_json, says_nothing, streams
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

MINUTE_S = 61
SESSION = {"x-claude-code-session-id": "s1"}


def used(input_tokens: int, output_tokens: int, **more: int) -> Answer:
    """A message that says so."""
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}
    return says_json(messages.message(usage=usage))


def test_no_more_is_sent_than_the_limit_says(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a, rpm_limit=3)

    assert serves(driven, 10) == 3
    driven.clock.ahead_s += MINUTE_S
    assert serves(driven, 10) == 3
    assert len(a.requests) == 6


@pytest.mark.parametrize(("passed_s", "wait_s"), [(0, 61), (40, 21), (59, 2)])
def test_the_wait_is_for_room_in_the_window(
    drive: Drive, a: Upstream, passed_s: float, wait_s: float
) -> None:
    driven = limited(drive, a, rpm_limit=1)
    driven.ask()
    driven.clock.ahead_s += passed_s

    with pytest.raises(KeysResting) as raised:
        driven.ask()

    assert raised.value.retry_after_s == pytest.approx(wait_s, abs=1.1)


def test_the_wait_is_the_shortest_of_rest_and_room_over_all_candidates(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        config(
            provider("A", a, keys=[{"key": "ka", "rpm_limit": 1}], priority=2),
            provider("B", b, "kb"),
        )
    )
    a.answers_with(says_error(500, "api_error"))
    b.says(says_error(429, "rate_limit_error", headers={"retry-after": "9"}))
    driven.ask()

    with pytest.raises(KeysResting) as raised:
        driven.ask()

    assert raised.value.retry_after_s == pytest.approx(9, abs=0.5)


def test_a_full_key_gives_way_to_another_and_then_to_another_provider(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    keys = [{"key": f"k{number}", "rpm_limit": 1} for number in (1, 2)]
    driven = drive(config(provider("A", a, keys=keys, priority=2), provider("B", b, "kb")))

    assert serves(driven, 5) == 5

    assert [each.header("x-api-key") for each in a.requests] == ["k1", "k2"]
    assert len(b.requests) == 3


@pytest.mark.parametrize(
    ("limits", "times"),
    [({"itpm_limit": 1000}, 2), ({"otpm_limit": 600}, 3), ({"tpm_limit": 1400}, 2)],
)
def test_tokens_are_settled_by_what_was_used(
    drive: Drive, a: Upstream, limits: dict[str, int], times: int
) -> None:
    driven = limited(drive, a, **limits)
    a.answers_with(used(400, 200, cache_creation_input_tokens=100, cache_read_input_tokens=99_999))

    assert serves(driven, 9) == times


def test_output_is_reserved_as_allowed_and_given_back_when_it_was_not_used(
    drive: Drive, a: Upstream
) -> None:
    driven = limited(drive, a, otpm_limit=1000)
    a.answers_with(used(1, 1))
    big = message(max_tokens=900)

    assert serves(driven, 5, big) == 5


def test_output_is_reserved_while_it_is_not_known(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a, otpm_limit=1000)
    a.answers_with(streams(*messages.beginning(), ends="open"))
    body = message(max_tokens=400, stream=True)
    replies = [driven.begin(body) for _ in range(2)]

    assert serves(driven, 1, body) == 0

    for reply in replies:
        close(reply)
    assert serves(driven, 1, body) == 1


def test_twice_the_average_output_is_reserved_where_more_is_allowed(
    drive: Drive, a: Upstream
) -> None:
    driven = limited(drive, a, otpm_limit=1000)
    a.says(used(1, 100))
    driven.ask()
    driven.clock.ahead_s += MINUTE_S
    a.answers_with(streams(*messages.beginning(), ends="open"))
    body = message(max_tokens=32_000, stream=True)

    replies = [driven.begin(body) for _ in range(5)]

    assert serves(driven, 1, body) == 0
    for reply in replies:
        close(reply)


def test_input_is_reserved_by_estimate_less_what_the_session_had_cached(
    drive: Drive, a: Upstream
) -> None:
    driven = limited(drive, a, itpm_limit=1000)
    body = message(messages=[{"role": "user", "content": "x" * 2500}], stream=True)
    a.says(streams(messages.message_start(), *messages.text_stream()[1:]))
    driven.ask(body, SESSION)
    driven.clock.ahead_s += MINUTE_S
    a.says(_mostly_cached())
    driven.ask(body, SESSION)
    driven.clock.ahead_s += MINUTE_S
    a.answers_with(streams(*messages.beginning(), ends="open"))

    # About 700 tokens: one of a new session has room, beside it many that are cached to 9/10.
    replies = [driven.begin(body), *(driven.begin(body, SESSION) for _ in range(3))]

    assert serves(driven, 1, body) == 0
    for reply in replies:
        close(reply)


def _mostly_cached() -> Answer:
    usage = {"input_tokens": 70, "cache_read_input_tokens": 630, "output_tokens": 1}
    start = messages.event("message_start", message=messages.message(content=[], usage=usage))
    return streams(start, *messages.text_stream()[1:])


ERRORS: Mapping[str, tuple[Answer, int]] = {
    "an error": (says_error(500, "api_error"), 3),
    "a refusal": (says_error(400, "invalid_request_error"), 3),
    "an error event": (
        streams(messages.event("error", error={"type": "api_error", "message": "x"})),
        3,
    ),
    "no answer": (says_nothing("close"), 2),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_stays_counted_as_a_request_without_its_tokens(
    drive: Drive, a: Upstream, what: str
) -> None:
    answer, times = ERRORS[what]
    driven = limited(drive, a, rpm_limit=3, otpm_limit=1000)
    a.answers_with(answer)
    body = message(max_tokens=500, stream=True)

    for _ in range(6):
        with suppress(KeysResting, UpstreamFailed):
            driven.ask(body)

    assert len(a.requests) == times


def test_a_connection_that_was_refused_takes_nothing(drive: Drive, closed_port: str) -> None:
    key = {"key": "k1", "rpm_limit": 1}
    driven = drive(config(provider("A", closed_port, keys=[key])))

    for _ in range(4):
        with pytest.raises(UpstreamFailed):
            driven.ask()


def test_a_stream_left_in_the_middle_counts_what_was_seen(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a, otpm_limit=1000)
    a.answers_with(streams(*messages.beginning(), ends="open"))
    body = message(max_tokens=900, stream=True)
    for _ in range(4):
        reply = driven.begin(body)
        next(iter(reply.body))
        close(reply)

    assert len(a.requests) == 4


def test_a_credential_of_the_client_s_own_is_not_counted(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a, rpm_limit=1)

    assert serves(driven, 3, headers={"authorization": "Bearer own"}) == 3
    assert serves(driven, 3) == 1


def test_a_count_of_tokens_is_a_request_too(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a, rpm_limit=2)
    a.answers_with(says_json({"input_tokens": 9}))

    assert serves(driven, 4, path=COUNT_TOKENS) == 2
