"""How many attempts beyond the first there are while a fleet fails (behaviour 8.3)."""

from typing import Any

from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.scripted.answers import says_error, says_message
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


def fleet(drive: Drive, a: Upstream, b: Upstream, **budget: Any) -> Driven:
    """Two providers that both fail."""
    for upstream in (a, b):
        upstream.answers_with(says_error(503, "overloaded_error"))
    ours = provider("A", a, "ka", priority=2), provider("B", b, "kb")
    return drive(config(*ours, routing={"retry_budget": budget}))


def test_attempts_beyond_the_first_end_with_the_budget(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = fleet(drive, a, b, ratio=0, reserve=3)

    assert [driven.ask().status for _ in range(10)] == [503] * 10

    assert (len(a.requests), len(b.requests)) == (10, 3)


def test_the_budget_grows_with_traffic(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = fleet(drive, a, b, ratio=0.25, reserve=0)

    for _ in range(20):
        driven.ask()

    assert (len(a.requests), len(b.requests)) == (20, 5)


def test_with_an_empty_budget_the_first_failure_is_the_answer(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = fleet(drive, a, b, ratio=0, reserve=0)
    a.answers_with(says_error(503, "overloaded_error", "of A"))

    served = driven.ask()

    assert (served.status, served.json()["error"]["message"]) == (503, "of A")
    assert not b.requests


def test_good_answers_take_nothing_from_the_budget(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = fleet(drive, a, b, ratio=0, reserve=1)
    a.answers_with(says_message())
    for _ in range(5):
        assert driven.ask().status == 200

    a.answers_with(says_error(503, "overloaded_error"))
    b.answers_with(says_message())

    assert [driven.ask().status for _ in range(2)] == [200, 503]


def test_another_key_takes_one_too(drive: Drive, a: Upstream) -> None:
    a.answers_with(says_error(429, "rate_limit_error"))
    budget = {"retry_budget": {"ratio": 0, "reserve": 1}}
    driven = drive(config(provider("A", a, "k1", "k2", "k3"), routing=budget))

    assert driven.ask().status == 429

    assert len(a.requests) == 2


def test_what_an_empty_budget_forbids_holds_neither_key_nor_place(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    limited = {"key": "kb", "rpm_limit": 1}
    a.answers_with(says_error(503, "overloaded_error"))
    driven = drive(
        config(
            provider("A", a, "ka", priority=2),
            provider("B", b, keys=[limited]),
            routing={"retry_budget": {"ratio": 0.5, "reserve": 0}},
        )
    )
    assert driven.ask().status == 503

    assert driven.ask().status == 200
    assert driven.in_flight("B", "kb") == 0
    assert driven.ask().status == 503
    assert (len(a.requests), len(b.requests)) == (3, 1)


def test_the_budget_outlives_a_reload(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = fleet(drive, a, b, ratio=0, reserve=1)
    ours = provider("A", a, "ka", priority=2), provider("B", b, "kb")
    driven.ask()

    driven.renewed(config(*ours, routing={"retry_budget": {"ratio": 0, "reserve": 1}}))
    driven.ask()

    assert (len(a.requests), len(b.requests)) == (2, 1)
