"""What answers tell of the limits of their keys, and how long that holds (behaviour 9.4)."""

from datetime import UTC, datetime

import pytest

from tests.exchange.conftest import Drive
from tests.exchange.driving import close
from tests.exchange.limits import limited, serves
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_json, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.upstream import Upstream

PREFIX = "anthropic-ratelimit"


def told(ahead_s: float = 30, **fields: str) -> dict[str, str]:
    reset = datetime.now(UTC).timestamp() + ahead_s
    when = datetime.fromtimestamp(reset, UTC).isoformat().replace("+00:00", "Z")
    fields = {"reset": when, **fields}
    return {f"{PREFIX}-requests-{name}": value for name, value in fields.items()}


@pytest.mark.parametrize("status", [200, 400, 500])
def test_every_answer_tells_of_limits(drive: Drive, a: Upstream, status: int) -> None:
    driven = limited(drive, a)
    headers = told(limit="3", remaining="50")
    ok = says_json(messages.message(), headers=headers)
    a.answers_with(ok if status == 200 else says_error(status, "x", headers=headers))

    # The first was not counted: nobody knew of a limit.
    assert serves(driven, 9) == 4


def test_what_remains_is_all_that_is_sent_before_the_reset(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a)
    a.says(says_json(messages.message(), headers=told(limit="100", remaining="2")))
    driven.ask()

    assert serves(driven, 9) == 2
    driven.clock.ahead_s += 31
    assert serves(driven, 9) == 9


def test_what_remains_holds_until_the_reset_however_long_the_answer_took(
    drive: Drive, a: Upstream
) -> None:
    driven = limited(drive, a)

    def slowly(_: object) -> Answer:
        driven.clock.ahead_s += 40
        return says_json(messages.message(), headers=told(ahead_s=40 + 30, remaining="1"))

    a.answers_with(slowly)
    driven.ask()
    a.answers_with(says_json(messages.message()))

    assert serves(driven, 9) == 1
    driven.clock.ahead_s += 25
    assert serves(driven, 9) == 0
    driven.clock.ahead_s += 6
    assert serves(driven, 9) == 9


def test_a_client_s_own_limits_are_not_learned(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a)
    a.says(says_json(messages.message(), headers=told(limit="1", remaining="0")))
    driven.ask(headers={"authorization": "Bearer own"})

    assert serves(driven, 5) == 5


def test_limits_of_a_subscription_are_not_learned(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a)
    unified = {
        name.replace("requests", "unified"): value
        for name, value in told(limit="1", remaining="0").items()
    }
    a.answers_with(says_json(messages.message(), headers=unified))

    assert serves(driven, 5) == 5


def test_hostile_headers_stop_nobody_for_longer_than_the_longest_rest(
    drive: Drive, a: Upstream
) -> None:
    driven = limited(drive, a)
    a.says(says_json(messages.message(), headers=told(ahead_s=10**9, limit="5", remaining="0")))
    driven.ask()
    assert serves(driven, 1) == 0

    driven.clock.ahead_s += 3601

    assert serves(driven, 1) == 1


def test_streams_tell_of_limits_before_they_end(drive: Drive, a: Upstream) -> None:
    driven = limited(drive, a)
    headers = [("Content-Type", "text/event-stream"), *told(limit="100", remaining="0").items()]
    answer = streams(*messages.beginning(), ends="open")
    a.says(Answer(200, tuple(headers), answer.steps, "chunked", (), "open"))
    reply = driven.begin(STREAM_MSG)

    assert serves(driven, 1) == 0
    close(reply)
