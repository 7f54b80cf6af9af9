"""Active probes of providers whose breaker is open (behaviour 10.3)."""

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.answers import Answer, says_error, says_json, says_message
from tests.scripted.client import Response
from tests.scripted.config import config
from tests.scripted.fleet import Fleet
from tests.scripted.recorded import Recorded
from tests.scripted.waiting import until

OFTEN = {
    "health_check": {"enabled": True, "interval_ms": 200},
    "circuit_breaker": {"failure_threshold": 1, "open_duration_ms": 60_000, "half_open_probes": 1},
}
LONGEST_S = 3.0
"""The interval, up to 2 s of jitter, and the time it takes."""


class Provider:
    """Answers messages and probes differently."""

    def __init__(self, to_messages: Answer, to_probes: Answer) -> None:
        self.to_messages = to_messages
        self.to_probes = to_probes

    def __call__(self, request: Recorded) -> Answer:
        return self.to_probes if request.method == "GET" else self.to_messages


def _probes(fleet: Fleet, letter: str) -> list[Recorded]:
    return [request for request in fleet[letter].requests if request.method == "GET"]


@pytest.fixture
def probing(start_relay: StartRelay, fleet: Fleet) -> Fleet:
    """A relay that has probed often from its start: A is asked first, then B."""
    entries = [fleet.entry("A", priority=2), fleet.entry("B")]
    settings = config(*entries, routing={"debug": True}, health=OFTEN)
    started = Fleet(start_relay(settings), fleet.upstreams)
    started.number = fleet.number
    return started


def test_a_good_probe_makes_it_half_open_and_a_bad_one_nothing(probing: Fleet) -> None:
    fleet = probing
    failing = says_error(500, "api_error")
    provider = Provider(failing, failing)
    fleet["A"].answers_with(provider)
    headers = {"x-api-key": "mine"}
    assert fleet.post(headers=headers).status == 200
    assert fleet.hits == "AB"

    until("two probes", lambda: len(_probes(fleet, "A")) >= 2, 2 * LONGEST_S)
    first, second = _probes(fleet, "A")[:2]
    assert second.arrived_at - first.arrived_at > 0.18  # not one by each worker
    for probe in (first, second):
        assert probe.target == "/v1/models"
        assert not probe.named("authorization") + probe.named("x-api-key")
        assert "mine" not in probe.text()
        assert fleet.key("A") not in probe.text()
    assert {fleet.post(worker=worker).status for worker in (0, 1)} == {200}
    assert fleet.hits == "ABBB"

    provider.to_probes = says_json({"error": "who are you?"}, 401)
    provider.to_messages = says_message()
    answer = until("a request goes to A", lambda: _served_by(fleet, "A"), LONGEST_S)
    assert answer.header("x-cc-relay-health") == "half-open"
    fleet.settled(answer)
    assert fleet.post().header("x-cc-relay-health") == "closed"
    assert _probes(fleet, "B") == []  # never open, so never asked


def _served_by(fleet: Fleet, letter: str) -> Response | None:
    answer = fleet.post()
    return answer if answer.header("x-cc-relay-provider") == fleet.name(letter) else None


def test_the_interval_of_probes_is_live(fleet: Fleet) -> None:
    health = {"health_check": {"enabled": True, "interval_ms": 200}}
    fleet.put(fleet.entry("A"), breaker={"failure_threshold": 1}, health=health)
    fleet["A"].answers_with(says_error(500, "api_error"))

    assert fleet.post().status == 500

    until("a probe", lambda: len(fleet["A"].requests) > 1, 4)
