"""How far failover goes, and that every attempt is made anew (behaviour 8.3)."""

import pytest

from relay.errors import Forbidden
from tests.exchange.conftest import Drive
from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

OURS = "our-secret-key"


def test_max_attempts_bounds_all_attempts_together(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(
        config(
            provider("A", a, "k1", "k2", priority=2),
            provider("B", b, "k1", "k2"),
            routing={"max_attempts": 3},
        )
    )
    for upstream in (a, b):
        upstream.answers_with(says_error(429, "rate_limit_error"))

    assert driven.ask().status == 429
    assert (len(a.requests), len(b.requests)) == (2, 1)


def test_a_single_attempt_may_be_all_there_is(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(
        config(
            provider("A", a, "k1", priority=2), provider("B", b, "k"), routing={"max_attempts": 1}
        )
    )
    a.says(says_error(500, "api_error"))

    assert driven.ask().status == 500
    assert not b.requests


def test_two_keys_of_a_provider_are_tried_before_the_next_provider(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1", "k2", "k3", priority=2), provider("B", b, "kb")))
    a.answers_with(says_error(429, "rate_limit_error"))

    assert driven.ask().status == 200
    assert [request.header("x-api-key") for request in a.requests] == ["k1", "k2"]
    assert len(b.requests) == 1


def test_a_provider_alone_is_tried_with_each_of_its_keys(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2", "k3")))
    a.says(*[says_error(429, "rate_limit_error")] * 2, says_message())

    assert driven.ask().status == 200
    assert [request.header("x-api-key") for request in a.requests] == ["k1", "k2", "k3"]


def test_no_attempt_begins_after_the_failover_timeout(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        config(
            provider("A", a, OURS, priority=2),
            provider("B", b, "kb", priority=1),
            provider("C", a, "kc"),
            routing={"failover_timeout": 5000},
        )
    )
    a.says(says_error(503, "overloaded_error"))

    def late(_: object) -> Answer:
        driven.clock.ahead_s += 6
        return says_error(500, "api_error", "B")

    b.answers_with(late)

    served = driven.ask()

    assert served.status == 500
    assert (len(a.requests), len(b.requests)) == (1, 1)


def test_the_failover_timeout_begins_with_the_first_failure(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, OURS, priority=2), provider("B", b, "kb")))

    def slow(_: object) -> Answer:
        driven.clock.ahead_s += 60
        return says_error(503, "overloaded_error")

    a.answers_with(slow)

    assert driven.ask().status == 200


def test_equal_priorities_are_asked_in_the_order_of_the_file(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("B", b, "kb"), provider("A", a, "ka")))

    driven.ask()

    assert (len(a.requests), len(b.requests)) == (0, 1)


# Every attempt is made anew


def test_each_attempt_begins_with_the_client_s_own_bytes(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        config(
            provider("A", a, "ka", priority=2, model_mapping={"claude-x": "a-model"}),
            provider("B", b, "kb", model_mapping={"claude-*": "b-model", "a-model": "wrong"}),
        )
    )
    a.says(says_error(503, "overloaded_error"))

    assert driven.ask().status == 200
    assert a.only().body == MSG.replace(b'"claude-x"', b'"a-model"')
    assert b.only().body == MSG.replace(b'"claude-x"', b'"b-model"')


def test_nothing_of_one_provider_s_reaches_the_next(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(
        config(
            provider("A", f"http://ua:pa@127.0.0.1:{a.port}/base-a", "key-of-a", priority=2),
            provider("B", b, "key-of-b", type="zai"),
        )
    )
    a.says(says_error(401, "authentication_error"))

    assert driven.ask().status == 200
    assert b.only().header("x-api-key") == "key-of-b"
    for secret in ("key-of-a", "Basic", "base-a"):
        assert secret not in b.only().text()
    assert "key-of-b" not in a.only().text()


def test_a_stranger_without_a_provider_to_use_is_refused(drive: Drive, a: Upstream) -> None:
    server = {"auth": {"allow_bearer": True, "any_bearer_uses_keys": False}}
    driven = drive(config(provider("Z", a, "kz", type="zai"), server=server))

    with pytest.raises(Forbidden):
        driven.ask(headers={"authorization": "Bearer own"})

    assert not a.requests


def test_a_stranger_never_reaches_the_keys_of_others_by_failover(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    server = {"auth": {"allow_bearer": True, "any_bearer_uses_keys": False}}
    driven = drive(
        config(
            provider("A", a, "ka", priority=2), provider("Z", b, "kz", type="zai"), server=server
        )
    )
    a.says(says_error(529, "overloaded_error"))

    assert driven.ask(headers={"authorization": "Bearer own"}).status == 529
    assert a.only().header("authorization") == "Bearer own"
    assert a.only().header("x-api-key") is None
    assert not b.requests
