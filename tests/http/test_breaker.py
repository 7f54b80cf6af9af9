"""A provider that fails is left alone, and comes back, for both workers (A.10: 70 to 74)."""

import threading
import time
from typing import Any

import pytest

from tests.scripted.answers import says_error, says_message
from tests.scripted.client import Response
from tests.scripted.fleet import Fleet
from tests.scripted.waiting import until

FAILS = says_error(500, "api_error", "theirs")
NOWHERE = "http://127.0.0.1:1"
TWO: dict[str, int] = {"failure_threshold": 2}
SHORT: dict[str, int] = {"failure_threshold": 1, "open_duration_ms": 300, "half_open_probes": 1}
OPEN_S = 0.4
"""Longer than `SHORT` stays open."""


def _is_shut(answer: Response) -> bool:
    """Whether this is the answer of a relay whose every breaker is open."""
    if answer.status != 503 or answer.header("x-cc-relay-provider"):
        return False
    assert answer.error() == ("overloaded_error", "all providers unhealthy")
    assert 1 <= int(answer.header("retry-after") or "0") <= 60
    return True


def _health(answer: Response) -> str | None:
    return answer.header("x-cc-relay-health")


def _opened(fleet: Fleet, breaker: dict[str, int], **of_a: Any) -> None:
    """A alone, its breaker opened by failures that came through both workers."""
    fleet.put(fleet.entry("A", **of_a), breaker=breaker)
    fleet["A"].answers_with(FAILS)
    for _ in range(breaker["failure_threshold"]):
        assert fleet.post().json()["error"]["message"] == "theirs"
    fleet["A"].forget()


def test_failures_in_a_row_open_it_for_both_workers(fleet: Fleet) -> None:
    _opened(fleet, TWO)
    assert _is_shut(fleet.post(worker=0))
    assert _is_shut(fleet.post(worker=1))
    assert fleet["A"].accepted == 0
    assert fleet.hits == ""


def test_throttled_keys_open_nothing(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {}, {}), breaker=TWO)
    fleet["A"].answers_with(says_error(429, "rate_limit_error", headers={"retry-after": "1"}))
    assert fleet.post().status == 429
    assert fleet.hits == "AA"
    local = fleet.post()
    assert (local.status, local.error()[0], fleet.hits) == (429, "rate_limit_error", "AA")
    fleet["A"].answers_with(says_message())
    until("the keys have rested", lambda: fleet.post().status == 200)
    assert _health(fleet.post()) == "closed"


def test_a_probe_that_succeeds_closes_it(fleet: Fleet) -> None:
    _opened(fleet, SHORT)
    time.sleep(OPEN_S)
    assert _health(fleet.settled(fleet.post(worker=1))) == "half-open"
    assert _health(fleet.post(worker=0)) == "closed"
    assert fleet.hits == "AA"


def test_a_probe_that_fails_opens_it_again(fleet: Fleet) -> None:
    _opened(fleet, SHORT | TWO)
    fleet["A"].answers_with(FAILS)
    time.sleep(OPEN_S)
    assert _health(fleet.post(worker=1)) == "half-open"
    assert _is_shut(fleet.post(worker=0))  # one failure is enough, and the time begins anew
    assert fleet.hits == "A"
    fleet["A"].answers_with(says_message())
    time.sleep(OPEN_S)
    assert fleet.post(worker=0).status == 200


def test_it_closes_after_as_many_successes_as_configured(fleet: Fleet) -> None:
    _opened(fleet, SHORT | {"half_open_probes": 2})
    time.sleep(OPEN_S)
    seen = [_health(fleet.settled(fleet.post())) for _ in range(4)]
    assert seen == ["half-open", "half-open", "closed", "closed"]


def test_a_failure_between_the_probes_opens_it_again(fleet: Fleet) -> None:
    _opened(fleet, SHORT | {"half_open_probes": 2})
    time.sleep(OPEN_S)
    fleet["A"].says(says_message(), FAILS)
    assert [fleet.settled(fleet.post()).status for _ in range(2)] == [200, 500]
    assert _is_shut(fleet.post())


def test_no_more_probes_at_once_than_configured(fleet: Fleet, hold: threading.Event) -> None:
    _opened(fleet, SHORT | {"half_open_probes": 2})
    fleet["A"].answers_with(says_message(before=(hold,)))
    time.sleep(OPEN_S)
    probes = [fleet.begin() for _ in range(8)]  # four to each worker
    fleet["A"].wait_for(2)
    until("the others are told", lambda: sum(probe.is_answered() for probe in probes) == 6)
    told = [probe for probe in probes if probe.is_answered()]
    assert [_is_shut(probe.response()) for probe in told] == [True] * 6
    assert fleet.hits == "AA"
    hold.set()
    assert {p.response().status for p in probes if p not in told} == {200}
    until("it is closed", lambda: _health(fleet.post()) == "closed", 2)


def test_a_probe_whose_client_left_is_given_back(fleet: Fleet, hold: threading.Event) -> None:
    _opened(fleet, SHORT)
    time.sleep(OPEN_S)
    fleet["A"].says(says_message(before=(hold,)))
    fleet.begin(worker=0).close()
    assert fleet["A"].wait_for(1)[0].closed.wait(3)
    probe = until("another probe may go", lambda: _not_shut(fleet.post(worker=1)), 2)
    seen = [fleet.settled(probe)]
    seen.append(fleet.post(worker=0))
    assert [_health(answer) for answer in seen] == ["half-open", "closed"]


def _not_shut(answer: Response) -> Response | None:
    return None if _is_shut(answer) else answer


def test_the_other_provider_serves_until_it_has_recovered(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"), breaker=SHORT)
    fleet["A"].answers_with(FAILS)
    assert [fleet.post().status for _ in range(5)] == [200] * 5
    assert fleet.hits == "ABBBBB"
    fleet["A"].answers_with(says_message())
    time.sleep(OPEN_S)
    assert [fleet.settled(fleet.post()).status for _ in range(3)] == [200] * 3
    assert fleet.hits == "ABBBBB" + "AAA"


@pytest.mark.parametrize("strategy", ["failover", "round_robin", "least_loaded"])
def test_while_a_probe_is_under_way_the_others_go_elsewhere(
    fleet: Fleet, hold: threading.Event, strategy: str
) -> None:
    entries = [fleet.entry("A", priority=2), fleet.entry("B")]
    fleet.put(*entries, breaker=SHORT, routing={"strategy": strategy})
    fleet["A"].says(FAILS, says_message(before=(hold,)))
    until("A fails", lambda: fleet.post().status == 200 and fleet["A"].requests, 2)
    time.sleep(OPEN_S)
    probes = [fleet.begin(worker=0) for _ in range(2)]  # in a circle one of them is for B
    fleet["A"].wait_for(2)
    others = [fleet.post() for _ in range(6)]
    assert {answer.status for answer in others} == {200}
    assert {answer.header("x-cc-relay-provider") for answer in others} == {fleet.name("B")}
    assert {answer.header("x-cc-relay-attempts") for answer in others} == {"1"}
    hold.set()
    assert {probe.response().status for probe in probes} == {200}
    until("A serves again", lambda: _serves(fleet) == fleet.name("A"), 2)


def _serves(fleet: Fleet) -> str | None:
    return fleet.post().header("x-cc-relay-provider")


def test_a_closed_port_alone_is_a_bad_gateway_and_then_left_alone(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", base_url=NOWHERE), breaker=TWO)
    answers = [fleet.post() for _ in range(3)]
    assert [answer.status for answer in answers] == [502, 502, 503]
    assert _is_shut(answers[2])


def test_a_closed_port_is_not_tried_for_long(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", base_url=NOWHERE, priority=2), fleet.entry("B"), breaker=TWO)
    answers = [fleet.post() for _ in range(6)]
    assert {answer.status for answer in answers} == {200}
    attempts = [answer.header("x-cc-relay-attempts") for answer in answers]
    assert attempts == ["2", "2", "1", "1", "1", "1"]


def test_a_reload_closes_nothing(fleet: Fleet) -> None:
    _opened(fleet, TWO)
    fleet.put(fleet.entry("A"), breaker=TWO, routing={"debug": False})
    assert [fleet.post().status for _ in range(2)] == [503, 503]
    assert fleet.hits == ""


def test_a_provider_that_was_taken_out_begins_anew(fleet: Fleet) -> None:
    _opened(fleet, TWO)
    fleet.put(fleet.entry("B"), breaker=TWO)
    assert fleet.post().status == 200
    fleet.put(fleet.entry("A"), breaker=TWO)
    assert [_health(fleet.post()) for _ in range(2)] == ["closed", "closed"]


def test_the_503_says_when_the_first_provider_may_be_asked_again(fleet: Fleet) -> None:
    breaker = {"failure_threshold": 1, "open_duration_ms": 4000}
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"), breaker=breaker)
    fleet["A"].says(FAILS)
    assert fleet.post().status == 200
    time.sleep(1.2)
    fleet["B"].says(FAILS)
    assert fleet.post().status == 500
    answer = fleet.post()
    assert _is_shut(answer)
    assert answer.header("retry-after") in ("2", "3")  # A's, not the 4 s of B


def test_no_retry_after_is_longer_than_a_minute(fleet: Fleet) -> None:
    _opened(fleet, TWO | {"open_duration_ms": 600_000})
    assert fleet.post().header("retry-after") == "60"
    assert fleet.relay.get("/health/ready").status == 503


def test_who_is_active_can_be_seen(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"), breaker=TWO)
    fleet["A"].answers_with(FAILS)
    for expected in (True, False):
        for worker in fleet.relay.workers:
            listed = fleet.relay.connect(worker).ask("GET", "/v1/providers").json()["data"]
            active = {entry["name"]: entry["active"] for entry in listed}
            assert active == {fleet.name("A"): expected, fleet.name("B"): True}
        fleet.post()
        fleet.post()
    assert fleet.relay.get("/health/ready").status == 200
    assert fleet.relay.get("/v1/files/f").status == 200
    assert [request.target for request in fleet["B"].requests if request.method == "GET"] == [
        "/v1/files/f"
    ]


def test_every_change_is_logged_once(fleet: Fleet) -> None:
    since = len(fleet.relay.output())
    _opened(fleet, SHORT)
    time.sleep(OPEN_S)
    fleet.settled(fleet.post())
    changes = [record for record in fleet.relay.records(since) if "from" in record]
    assert [(each["from"], each["to"], each["level"]) for each in changes] == [
        ("closed", "open", "warn"),
        ("open", "half-open", "info"),
        ("half-open", "closed", "info"),
    ]
    assert {each["provider"] for each in changes} == {fleet.name("A")}
