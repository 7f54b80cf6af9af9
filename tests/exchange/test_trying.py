"""One minimal request with one key: its time, and what nobody else hears of."""

import time

import pytest

from relay.exchange import trying
from relay.exchange.standing import Standing
from relay.exchange.trying import LIMIT_S, Tried
from relay.keys.standing import Standing as KeysStanding
from relay.limits.kinds import A_REQUEST
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.routed import breaker, state
from tests.scripted.answers import Answer, Step, says, says_error, says_message, says_nothing
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

DRIPS: list[Step] = [0.05, b" "] * 100


def tried(driven: Driven, limit_s: float = LIMIT_S) -> Tried:
    """The first key of the only provider."""
    means = driven.runtime.means
    (upstream,) = means.upstreams
    return trying.tried(means, upstream, trying.credentials(upstream)[0], limit_s)


def known(driven: Driven) -> KeysStanding:
    """What is known of its keys."""
    means = driven.runtime.means
    return Standing(means).keys(means.upstreams[0])


def in_flight(driven: Driven) -> list[float]:
    """How much each of its keys is in use."""
    (upstream,) = driven.runtime.means.upstreams
    return [each.used[2] for each in upstream.pool.states(known(driven), A_REQUEST)]


@pytest.mark.parametrize(
    "answer",
    [
        says_nothing("open"),
        says(200, {"content-type": "application/json"}, b"{", *DRIPS),
        says(500, {"content-type": "application/json"}, b"{", *DRIPS),
    ],
    ids=["silent", "answering slowly", "refusing slowly"],
)
def test_its_limit_is_one_for_everything(drive: Drive, a: Upstream, answer: Answer) -> None:
    driven = drive(config(provider("A", a, "k0", "k1")))
    a.says(answer)
    began = time.monotonic()

    found = tried(driven, limit_s=0.4)

    assert (found.status, found.reason) == (None, "no answer within 0.4 s")
    assert 0.3 < found.took_s < time.monotonic() - began + 0.1 < 2
    assert in_flight(driven) == [0, 0]
    assert a.requests[0].closed.wait(5)


def test_the_breaker_hears_nothing_of_it(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k"), health=breaker()))
    a.says(says_error(500, "api_error"), says_nothing("reset"))
    before = state(driven, "A")

    assert [bool(tried(driven).reason) for _ in range(2)] == [True, True]

    assert state(driven, "A") is before


def test_what_was_never_sent_does_not_count(drive: Drive, closed_port: str) -> None:
    driven = drive(config(provider("A", closed_port, keys=[{"key": "k", "rpm_limit": 1}])))

    found = tried(driven)

    assert found.reason.endswith("connection refused")
    (upstream,) = driven.runtime.means.upstreams
    assert upstream.pool.available(known(driven)) == 1


def test_what_was_sent_counts(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, keys=[{"key": "k", "rpm_limit": 1}])))
    a.says(says_message())

    assert tried(driven).reason == ""

    (upstream,) = driven.runtime.means.upstreams
    assert upstream.pool.available(known(driven)) == 0
