"""How far failover goes: attempts of a broken fleet stay near the number of requests (8.3)."""

from typing import Any

from tests.http.conftest import StartRelay
from tests.scripted.answers import says, says_error
from tests.scripted.config import config
from tests.scripted.fleet import Fleet

FAILS = says_error(503, "overloaded_error")
THROTTLED = says_error(429, "rate_limit_error", headers={"retry-after": "30"})


def _budgeted(start_relay: StartRelay, fleet: Fleet, budget: dict[str, Any]) -> Fleet:
    """A relay of its own: the budget is in the worker's memory, and this is about its start."""
    routing = {"debug": True, "retry_budget": budget}
    entries = [fleet.entry("A", priority=2), fleet.entry("B")]
    started = Fleet(start_relay(config(*entries, routing=routing)), fleet.upstreams)
    started.renew()
    fleet["A"].answers_with(FAILS)
    return started


def test_each_worker_has_its_reserve_and_no_more(start_relay: StartRelay, fleet: Fleet) -> None:
    budgeted = _budgeted(start_relay, fleet, {"ratio": 0.0, "reserve": 2})
    for worker in (0, 1):
        statuses = [budgeted.post(worker=worker).status for _ in range(5)]
        assert statuses == [200, 200, 503, 503, 503]
    assert budgeted.hits == "ABABAAA" * 2


def test_exchanges_earn_attempts(start_relay: StartRelay, fleet: Fleet) -> None:
    budgeted = _budgeted(start_relay, fleet, {"ratio": 0.25, "reserve": 1})
    statuses = [budgeted.post(worker=0).status for _ in range(24)]
    # One at the start and a quarter an exchange; whether an exchange may use its own is not said.
    assert statuses.count(200) in (6, 7)
    assert statuses[:2] == [200, 503]
    assert statuses[-8:].count(200) == 2


def test_what_is_saved_is_bounded(start_relay: StartRelay, fleet: Fleet) -> None:
    budgeted = _budgeted(start_relay, fleet, {"ratio": 1.0, "reserve": 1})
    fleet["A"].forget()
    for _ in range(30):
        assert budgeted.post(worker=0).status == 200
    quiet = {"ratio": 0.0, "reserve": 1}
    entries = [fleet.entry("A", priority=2), fleet.entry("B")]
    fleet["A"].answers_with(FAILS)
    budgeted.relay.reload(config(*entries, routing={"debug": True, "retry_budget": quiet}))
    # A reload may keep what there is or begin anew; more than ten times the reserve is neither.
    assert [budgeted.post(worker=0).status for _ in range(14)].count(200) <= 10


def test_two_keys_of_a_provider_are_tried_then_the_next_provider(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {}, {}, {}, {}, priority=2), fleet.entry("B"))
    fleet["A"].answers_with(THROTTLED)
    answer = fleet.post()
    assert (answer.status, answer.header("x-cc-relay-attempts")) == (200, "3")
    assert fleet.hits == "AAB"


def test_alone_every_key_of_a_provider_is_tried_once(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {}, {}, {}))
    fleet["A"].answers_with(THROTTLED)
    assert fleet.post().status == 429
    assert sorted(fleet.keys_used("A"), key=str) == [0, 1, 2]


def test_the_third_is_not_asked_when_time_is_over(fleet: Fleet) -> None:
    entries = [fleet.entry(letter, priority=2 - at) for at, letter in enumerate("ABC")]
    fleet.put(*entries, routing={"failover_timeout": 200})
    fleet["A"].answers_with(FAILS)
    body = b'{"type": "error",  "error":{"type":"api_error","message":"b"}}'
    fleet["B"].answers_with(says(500, {"Content-Type": "application/json"}, body, before=(0.4,)))
    answer = fleet.post()
    assert (answer.status, answer.content) == (500, body)
    assert fleet.hits == "AB"
