"""Keys that rest, keys that are set aside, and what is said when all do (behaviour 9.4 to 9.7)."""

from collections.abc import Mapping

import pytest

from relay.errors import CredentialRefused, KeysResting
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_json, says_message
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream

HOUR_S = 3600


def keys(upstream: Upstream) -> list[str | None]:
    return [request.header("x-api-key") for request in upstream.requests]


def resting_s(driven: Driven) -> float:
    with pytest.raises(KeysResting) as raised:
        driven.ask()
    assert raised.value.retry_after_s is not None
    return raised.value.retry_after_s


def test_a_limited_key_rests_as_long_as_the_upstream_says(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": "20"}))

    for _ in range(3):
        assert driven.ask().status == 200
    driven.clock.ahead_s += 21
    for _ in range(2):
        driven.ask()

    assert keys(a)[:4] == ["k1", "k2", "k2", "k2"]
    assert keys(a)[4:] == ["k1", "k1"]  # which has had fewer requests in the last minute


@pytest.mark.parametrize(
    ("headers", "rest_s"),
    [
        ({"Retry-After": "5"}, 5),
        ({"retry-after-ms": "2500", "Retry-After": "40"}, 2.5),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "soon"}, 60),
        ({}, 60),
        ({"Retry-After": "999999"}, HOUR_S),
    ],
)
def test_with_every_key_resting_nothing_is_sent_and_the_wait_is_named(
    drive: Drive, a: Upstream, headers: Mapping[str, str], rest_s: float
) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(says_error(429, "rate_limit_error", headers=headers))
    assert driven.ask().status == 429

    waits = resting_s(driven)

    assert waits == pytest.approx(rest_s, abs=0.5)
    assert len(a.requests) == 1


def test_the_wait_is_that_for_the_first_key_of_any_provider(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1", priority=2), provider("B", b, "k1")))
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": "40"}))
    b.says(says_error(429, "rate_limit_error", headers={"Retry-After": "5"}))
    assert driven.ask().status == 429

    assert resting_s(driven) == pytest.approx(5, abs=0.5)


def test_a_provider_whose_keys_rest_is_passed_over(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", priority=2), provider("B", b, "k1")))
    a.says(says_error(429, "rate_limit_error"))
    driven.ask()

    assert driven.ask().status == 200
    assert (len(a.requests), len(b.requests)) == (1, 2)


def test_a_client_s_own_429_rests_no_key(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(says_error(429, "rate_limit_error"))
    assert driven.ask(headers={"authorization": "Bearer own"}).status == 429

    assert driven.ask().status == 200
    assert a.requests[1].header("x-api-key") == "k1"


@pytest.mark.parametrize("status", [200, 400, 529])
def test_a_used_up_limit_rests_the_key_whatever_the_status(
    drive: Drive, a: Upstream, status: int
) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    reset = "2099-01-01T00:00:00Z"
    used_up = {
        "anthropic-ratelimit-requests-limit": "9",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": reset,
    }
    a.says(says_error(status, "x", headers=used_up) if status != 200 else _with(used_up))
    driven.ask()

    for _ in range(3):
        assert driven.ask().status == 200

    assert keys(a) == ["k1", "k2", "k2", "k2"]


def _with(headers: Mapping[str, str]) -> Answer:
    return says_json(messages.message(), headers=headers)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_is_set_aside_and_the_other_serves(
    drive: Drive, a: Upstream, lines: Lines, status: int
) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    a.answers_with(lambda asked: _unless(asked, "k1", status))

    for _ in range(4):
        assert driven.ask().status == 200

    assert keys(a) == ["k1", "k2", "k2", "k2", "k2"]
    assert [fields["key"] for fields in lines.of("key set aside: the provider refused it")] == [
        "A/0"
    ]


def _unless(asked: Recorded, key: str, status: int) -> Answer:
    refused = asked.header("x-api-key") == key
    return says_error(status, "authentication_error") if refused else says_message()


def test_a_key_set_aside_is_a_last_resort_and_comes_back_when_it_works(
    drive: Drive, a: Upstream, lines: Lines
) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(says_error(401, "authentication_error"))
    with pytest.raises(CredentialRefused):
        driven.ask()

    assert driven.ask().status == 200
    assert driven.ask().status == 200
    assert keys(a) == ["k1"] * 3
    assert [fields["key"] for fields in lines.of("key is back")] == ["A/0"]


def test_keys_set_aside_come_after_every_other_provider(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1", priority=2), provider("B", b, "k1")))
    a.says(says_error(401, "authentication_error"))
    driven.ask()
    b.says(says_error(503, "overloaded_error"))

    assert driven.ask().status == 200
    assert (len(a.requests), len(b.requests)) == (2, 2)


def test_a_key_that_rests_is_no_last_resort(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    limited = says_error(429, "rate_limit_error", headers={"Retry-After": "30"})
    refused = says_error(401, "authentication_error")
    a.answers_with(lambda asked: refused if asked.header("x-api-key") == "k1" else limited)
    assert driven.ask().status == 429
    a.forget()
    a.answers_with(refused)

    with pytest.raises(CredentialRefused):
        driven.ask()

    assert keys(a) == ["k1"]


def test_what_is_known_of_a_key_outlives_a_reload(drive: Drive, a: Upstream) -> None:
    first = drive(config(provider("A", a, "k1", "k2")))
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": "30"}))
    first.ask()
    moved = first.renewed(config(provider("A", a, "k2", "k1")))

    for _ in range(2):
        assert moved.ask(MSG).status == 200

    assert keys(a) == ["k1", "k2", "k2", "k2"]


def test_every_key_is_given_back_whatever_came(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    for status in (200, 400, 401, 429, 500):
        a.says(says_message() if status == 200 else says_error(status, "x"))
        driven.ask()
        assert driven.in_flight("A", "k1") == driven.in_flight("A", "k2") == 0
