"""What is broken off in the middle of a step of the store, as over a network any may be."""

import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from relay.breaker import classify
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.claiming import Claiming
from relay.exchange.standing import Standing
from tests.exchange import routed
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.hedged import hedging, two
from tests.scripted import messages
from tests.scripted.answers import says_error, says_json, says_message
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

ONE_PROBE = {"failure_threshold": 1, "open_duration_ms": 1, "half_open_probes": 1}
HEALTH = {"circuit_breaker": ONE_PROBE, "health_check": {"enabled": False}}


class Waiting:
    """A step of the store that lets others run in between, as over a network."""

    def __init__(self, step: Callable[..., Any], waits_s: float, *, only: int = 0) -> None:
        """`only`: the number of the call that waits; 0: each."""
        self._step, self._waits_s, self._only, self._calls = step, waits_s, only, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._calls += 1
        found = self._step(*args, **kwargs)
        if self._only in (0, self._calls):
            gevent.sleep(self._waits_s)
        return found


@pytest.fixture
def probing(drive: Drive, a: Upstream) -> Driven:
    """A is half-open and lets one in."""
    driven = drive(config(provider("A", a, "k1", "k2"), health=HEALTH))
    a.says(says_error(500, "api_error"))
    assert driven.ask().status == 500
    gevent.sleep(0.01)
    return driven


def opened(driven: Driven) -> Account | None:
    exchange = routed.exchange(driven)
    asked, standing = Asked(exchange.inbound, ""), Standing(exchange.means)
    claiming = Claiming(exchange, asked, standing, routed.route(driven))
    account = claiming.account(exchange.means.upstreams[0], last_resort=False)
    return account if isinstance(account, Account) else None


def test_a_close_that_is_broken_off_gives_everything_back(
    probing: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = opened(probing)
    assert account
    store = probing.lasting.store
    with monkeypatch.context() as patched:
        patched.setattr(store, "settle", Waiting(store.settle, 0.2))
        closing = gevent.spawn(account.failed, classify.of_unusable(), "broken")
        gevent.sleep(0.02)
        closing.kill()

    assert not probing.lasting.running.attempts
    gevent.sleep(0.01)  # open again for a moment, by that failure
    another = opened(probing)
    assert another
    another.dropped()


def test_what_cannot_be_accounted_for_is_given_back_all_the_same(
    drive: Drive, a: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    a.says(says_message())

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("relay.exchange.finish.Learning", broken)

    assert driven.ask().status == 200
    assert not driven.lasting.running.attempts
    assert not driven.lasting.running.count


def test_a_first_that_fails_while_a_second_is_looked_for_leaves_it_to_answer(
    drive: Drive, a: Upstream, b: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two(a, b)
    for entry in (first, second):
        entry["keys"] = [{**key, "rpm_limit": 100} for key in entry["keys"]]
    driven = drive(hedging(first, second))
    a.says(says_json(messages.error("api_error", "no"), 500, before=(0.15,)))
    b.says(says_message("b"))
    store = driven.lasting.store
    monkeypatch.setattr(store, "take", Waiting(store.take, 0.15, only=2))

    assert driven.ask().status == 200
    assert len(b.requests) == 1


def test_other_paths_take_no_tokens_of_a_key(drive: Drive, a: Upstream) -> None:
    entry = provider("A", a) | {"keys": [{"key": "k1", "otpm_limit": 3000}]}
    driven = drive(config(entry))
    a.says(says_json({"data": []}))

    found = [driven.ask(b"", path="/v1/messages/batches", method="GET").status for _ in range(5)]

    assert found == [200] * 5


def test_who_passes_credentials_through_is_shown_no_key_after_failover(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    first = provider("A", a, auth="passthrough", priority=1)
    driven = drive(config(first, provider("B", b, "configured", auth="passthrough")))
    a.says(says_error(500, "api_error"))

    assert driven.ask(headers={"authorization": "Bearer mine"}).status == 500
    assert b.requests == []


def test_thinking_that_nobody_signed_decides_nothing(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a), provider("B", b), routing={"strategy": "round_robin"}))
    for each in (a, b):
        each.says(says_message())
    body = json.loads(MSG)
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    body["messages"] += [
        {"role": "assistant", "content": [unsigned, {"type": "text", "text": "so"}]},
        {"role": "user", "content": "go on"},
    ]

    for _ in range(4):
        driven.ask(json.dumps(body).encode())

    assert (len(a.requests), len(b.requests)) == (2, 2)
