"""What the operator says of errors comes before the table (behaviour 3.6, `health.error_rules`)."""

from typing import Any

import pytest

from relay.breaker.transitions import State
from relay.errors import CredentialRefused
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven
from tests.exchange.routed import state
from tests.scripted import messages
from tests.scripted.answers import says, says_error, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

POOR = says_error(400, "invalid_request_error", "Your credit balance is too low to access the API")
CREDIT = {"statuses": ["400"], "message": "credit balance is too low"}


def rule(when: dict[str, Any], scope: str, **then: Any) -> dict[str, Any]:
    """The section `health` with one rule, and a breaker that opens at the first failure."""
    return {
        "circuit_breaker": {"failure_threshold": 1},
        "error_rules": [{"name": "mine", "when": when, "then": {"scope": scope, **then}}],
    }


def ours(*upstreams: Upstream, keys: int = 2) -> list[dict[str, Any]]:
    """Providers A and B, A first."""
    return [
        provider(name, upstream, *(f"{name}{number}" for number in range(keys)), priority=priority)
        for name, upstream, priority in zip("AB", upstreams, (2, 1), strict=False)
    ]


def keys(upstream: Upstream) -> list[str | None]:
    return [request.header("x-api-key") for request in upstream.requests]


def test_an_account_without_credit_is_set_aside_and_another_key_asked(
    drive: Drive, a: Upstream, b: Upstream, lines: Lines
) -> None:
    driven = drive(config(*ours(a, b), health=rule(CREDIT, "key", set_aside=True)))
    a.answers_with(lambda asked: POOR if asked.header("x-api-key") == "A0" else _good())

    for _ in range(3):
        assert driven.ask().status == 200

    assert keys(a) == ["A0", "A1", "A1", "A1"]
    assert not b.requests
    assert [line["key"] for line in lines.of("key set aside: the provider refused it")] == ["A/0"]
    assert [line["rule"] for line in lines.of("attempt failed")] == ["mine"]
    assert state(driven, "A") is State.CLOSED


def _good() -> Any:
    return says(200, {"Content-Type": "application/json"}, b'{"type":"message"}')


def test_with_every_account_without_credit_another_provider_is_asked(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(*ours(a, b), health=rule(CREDIT, "key", rest_ms=5000)))
    a.answers_with(POOR)

    assert [driven.ask().status for _ in range(2)] == [200, 200]
    assert (keys(a), keys(b)) == (["A0", "A1"], ["B0", "B1"])
    driven.clock.ahead_s += 5.1
    driven.ask()
    assert len(a.requests) == 4


def test_the_client_gets_the_answer_itself_where_nobody_is_left(drive: Drive, a: Upstream) -> None:
    driven = drive(config(*ours(a), health=rule(CREDIT, "key", set_aside=True)))
    a.answers_with(POOR)

    served = driven.ask()

    assert served.status == 400
    assert served.json() == messages.error(
        "invalid_request_error", "Your credit balance is too low to access the API"
    )
    assert len(a.requests) == 2


def test_other_answers_of_that_status_are_the_client_s_and_stay_as_they_are(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(*ours(a, b), health=rule(CREDIT, "key", set_aside=True)))
    body = b'{ "type":"error", "error": {"type":"invalid_request_error","message":"\\u0061 b"} }'
    a.says(says(400, {"Content-Type": "application/json", "X-Of-A": "1"}, body))

    served = driven.ask()

    assert (served.status, served.content) == (400, body)
    assert served.header("x-of-a") == "1"
    assert (len(a.requests), len(b.requests)) == (1, 0)
    assert driven.in_flight("A", "A0") == 0


def test_an_error_that_is_the_provider_s_opens_its_breaker(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    overloaded = rule({"statuses": ["403"], "error_types": ["busy_*"]}, "provider")
    driven = drive(config(*ours(a, b), health=overloaded))
    a.answers_with(says_error(403, "busy_now"))

    for _ in range(3):
        assert driven.ask().status == 200

    assert (len(a.requests), len(b.requests)) == (1, 3)
    assert state(driven, "A") is State.OPEN


def test_an_error_that_is_the_request_s_is_the_client_s_at_once(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(*ours(a, b), health=rule({"statuses": ["5xx"]}, "request")))
    a.answers_with(says_error(500, "api_error"))

    assert [driven.ask().status for _ in range(2)] == [500, 500]
    assert not b.requests
    assert state(driven, "A") is State.CLOSED


def test_an_error_that_is_ours_blames_nobody(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(config(*ours(a, b), health=rule({"statuses": ["529"]}, "ourselves")))
    a.answers_with(says_error(529, "overloaded_error"))

    for _ in range(3):
        assert driven.ask().status == 200

    assert (len(a.requests), len(b.requests)) == (3, 3)
    assert state(driven, "A") is State.CLOSED


def test_a_rule_for_another_provider_does_not_hold(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(config(*ours(a, b), health=rule(CREDIT | {"providers": ["B"]}, "provider")))
    a.says(POOR)

    assert driven.ask().status == 400
    assert not b.requests


def test_a_rule_about_keys_passes_over_a_client_s_own_credential(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(*ours(a, b), health=rule(CREDIT, "key", set_aside=True)))
    a.says(POOR)

    assert driven.ask(headers={"authorization": "Bearer own"}).status == 400
    assert not b.requests
    assert driven.ask().status == 200
    assert keys(a) == [None, "A0"]


def test_a_refusal_of_our_credential_stays_our_matter_under_a_rule(
    drive: Drive, a: Upstream
) -> None:
    driven = drive(config(*ours(a), health=rule({"statuses": ["403"]}, "provider")))
    a.answers_with(says_error(403, "permission_error"))

    with pytest.raises(CredentialRefused):
        driven.ask()


@pytest.fixture
def events(drive: Drive, a: Upstream, b: Upstream) -> Driven:
    """A rule about errors of the type `mine`, which come as first events."""
    return drive(config(*ours(a, b), health=rule({"error_types": ["mine"]}, "key", rest_ms=5000)))


def test_an_error_event_before_any_content_is_judged_by_the_rules_too(
    events: Driven, a: Upstream, b: Upstream
) -> None:
    a.answers_with(streams(messages.event("error", error={"type": "mine", "message": "x"})))

    assert events.ask(STREAM_MSG).status == 200
    assert (keys(a), len(b.requests)) == (["A0", "A1"], 1)
    assert events.ask(STREAM_MSG).status == 200
    assert len(a.requests) == 2
