"""Which provider is asked first, over both workers (A.7: 56 to 61; behaviour 7.3)."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says_error, says_message, streams
from tests.scripted.client import MSG, STREAM_MSG, Connection
from tests.scripted.config import config, provider
from tests.scripted.fleet import Fleet
from tests.scripted.waiting import until

STRATEGIES = (
    "failover",
    "round_robin",
    "weighted_round_robin",
    "shuffle",
    "least_loaded",
    "weighted_failover",
    "model_based",
    "cost_based",
    "latency_based",
    "cache_affinity",
)
FAILS = says_error(503, "overloaded_error")
DEBUG = ("strategy", "provider", "health", "attempts", "model")


def _three(fleet: Fleet, strategy: str, **routing: object) -> None:
    entries = [fleet.entry(letter) for letter in "ABC"]
    fleet.put(*entries, routing={"strategy": strategy} | routing)


def _posts(fleet: Fleet, count: int) -> str:
    before = len(fleet.hits)
    for _ in range(count):
        assert fleet.post().status == 200
    return fleet.hits[before:]


def test_round_robin_counts_from_nought_over_both_workers(
    start_relay: StartRelay, fleet: Fleet
) -> None:
    # A relay of its own: the counter outlives reloads, and this is about its beginning.
    entries = [provider(letter, upstream, "k") for letter, upstream in fleet.upstreams.items()]
    settings = config(*entries, routing={"strategy": "round_robin"})
    fleet = Fleet(start_relay(settings), fleet.upstreams)
    assert _posts(fleet, 9) == "ABCABCABC"
    assert _posts(fleet, 1) == "A"
    fleet.relay.reload(config(*entries, routing={"strategy": "round_robin", "debug": True}))
    assert _posts(fleet, 5) == "BCABC"


def test_round_robin_goes_on_in_its_circle(fleet: Fleet) -> None:
    _three(fleet, "round_robin")
    until("the counter is before A", lambda: _posts(fleet, 1) == "C")
    for upstream in fleet.upstreams.values():
        upstream.forget()
    fleet["A"].answers_with(FAILS)
    fleet["B"].answers_with(FAILS)
    assert _posts(fleet, 1) == "ABC"
    assert _posts(fleet, 1) == "BC"
    assert _posts(fleet, 1) == "C"
    fleet["A"].answers_with(says_message())
    assert _posts(fleet, 2) == "ABC"


def test_round_robin_counts_only_what_is_selectable(fleet: Fleet) -> None:
    entries = [fleet.entry(letter) for letter in "ABC"]
    fleet.put(*entries, routing={"strategy": "round_robin"}, breaker={"failure_threshold": 1})
    fleet["B"].answers_with(says_error(500, "api_error"))
    until("B has failed", lambda: "B" in _posts(fleet, 1))
    assert _posts(fleet, 6) in ("ACACAC", "CACACA")


def test_smooth_weights_make_a_smooth_sequence(fleet: Fleet) -> None:
    entries = [fleet.entry(a, {"weight": w}) for a, w in zip("ABC", (3, 2, 1), strict=True)]
    fleet.put(*entries, routing={"strategy": "weighted_round_robin"})
    assert _posts(fleet, 12) == "ABACBA" * 2


def test_smooth_weights_begin_anew_when_they_change(fleet: Fleet) -> None:
    for weights, sequence in (((3, 2, 1), "A"), ((1, 2, 3), "CBACBC"), ((3, 2, 1), "ABACBA")):
        entries = [fleet.entry(a, weight=w) for a, w in zip("ABC", weights, strict=True)]
        fleet.put(*entries, routing={"strategy": "weighted_round_robin"})
        assert _posts(fleet, len(sequence)) == sequence


def test_behind_the_smooth_choice_come_the_greater_values(fleet: Fleet) -> None:
    entries = [fleet.entry(a, weight=w) for a, w in zip("ABC", (3, 2, 1), strict=True)]
    fleet.put(*entries, routing={"strategy": "weighted_round_robin"})
    fleet["A"].answers_with(FAILS)
    fleet["B"].answers_with(FAILS)
    assert _posts(fleet, 1) == "ABC"  # A is at 3 - 6, B at 2, C at 1
    assert _posts(fleet, 1) == "BC"  # B is at 4 - 6, C at 2, A at 0
    assert _posts(fleet, 1) == "AC"  # A is at 3 - 6, B at 0, C at 3


def test_weights_hold_for_requests_at_once(fleet: Fleet) -> None:
    entries = [fleet.entry(a, weight=w) for a, w in zip("ABC", (3, 2, 1), strict=True)]
    fleet.put(*entries, routing={"strategy": "weighted_round_robin"})
    lanes = [fleet.relay.connect(worker) for worker in fleet.relay.workers * 2]

    def ask(lane: Connection) -> list[bytes]:
        return [lane.ask("POST", "/v1/messages", MSG).content for _ in range(150)]

    with ThreadPoolExecutor(4) as pool:
        answers = [answer for lane in pool.map(ask, lanes) for answer in lane]
    assert len(answers) == 600
    assert Counter(fleet.hits) == {"A": 300, "B": 200, "C": 100}


@pytest.mark.parametrize("weight", [None, 0])
def test_no_weight_is_weight_one(fleet: Fleet, weight: int | None) -> None:
    own = {} if weight is None else {"weight": weight}
    entries = [fleet.entry(letter, own) for letter in "ABC"]
    fleet.put(*entries, routing={"strategy": "weighted_round_robin"})
    assert _posts(fleet, 6) == "ABCABC"


def test_a_shuffled_deck_has_every_provider_once(fleet: Fleet) -> None:
    entries = [fleet.entry(a, weight=w) for a, w in zip("ABC", (9, 1, 1), strict=True)]
    fleet.put(*entries, routing={"strategy": "shuffle"})
    hits = _posts(fleet, 45)
    blocks = [hits[at : at + 3] for at in range(0, 45, 3)]
    assert {"".join(sorted(block)) for block in blocks} == {"ABC"}
    assert len(set(blocks)) > 1  # shuffled anew, not one order kept


def test_the_least_loaded_provider_is_asked(fleet: Fleet, hold: threading.Event) -> None:
    entries = [fleet.entry("A", priority=1), fleet.entry("B", priority=2)]
    fleet.put(*entries, routing={"strategy": "least_loaded"})
    for _ in range(4):
        assert fleet.settled(fleet.post()).header("x-cc-relay-provider") == fleet.name("B")
    fleet["B"].answers_with(says_message(before=(hold,)))
    held = fleet.begin(worker=0)
    fleet["B"].wait_for(5)
    assert fleet.post(worker=1).header("x-cc-relay-provider") == fleet.name("A")
    assert fleet.post(worker=0).header("x-cc-relay-provider") == fleet.name("A")
    hold.set()
    assert held.response().content
    until("B is free again", lambda: _posts(fleet, 1) == "B", 2)


def test_a_stream_is_load_to_its_end(fleet: Fleet, hold: threading.Event) -> None:
    entries = [fleet.entry("A", priority=1), fleet.entry("B", priority=2)]
    fleet.put(*entries, routing={"strategy": "least_loaded"})
    begun = messages.beginning()
    fleet["B"].says(streams(*begun, hold, *messages.text_stream()[len(begun) :]))
    stream = fleet.begin(STREAM_MSG, worker=0).response()
    assert stream.take(len(b"".join(begun)))
    assert _posts(fleet, 2) == "AA"
    hold.set()
    assert stream.content
    until("B is free again", lambda: _posts(fleet, 1) == "B", 2)


def test_a_client_that_left_is_no_load(fleet: Fleet, hold: threading.Event) -> None:
    entries = [fleet.entry("A", priority=1), fleet.entry("B", priority=2)]
    fleet.put(*entries, routing={"strategy": "least_loaded"})
    fleet["B"].says(says_message(before=(hold,)))
    fleet.begin(worker=0).close()
    assert fleet["B"].wait_for(1)[0].closed.wait(3)
    until("B is free again", lambda: _posts(fleet, 1) == "B", 2)


def test_equal_load_goes_to_whoever_rested_longest(fleet: Fleet) -> None:
    _three(fleet, "least_loaded")
    assert [fleet.settled(fleet.post()).status for _ in range(9)] == [200] * 9
    assert fleet.hits == "ABCABCABC"


def test_weighted_failover_is_random_by_weight(fleet: Fleet) -> None:
    fleet.put(
        fleet.entry("A", {"weight": 9}),
        fleet.entry("B", {"weight": 1}),
        routing={"strategy": "weighted_failover"},
    )
    first = _posts(fleet, 1000).count("A")
    assert 850 <= first <= 950
    fleet["A"].answers_with(FAILS)
    assert _posts(fleet, 10).count("B") == 10


def test_failover_takes_the_highest_priority(fleet: Fleet) -> None:
    entries = [fleet.entry("A", {"priority": 1}), fleet.entry("B", {"priority": 2})]
    fleet.put(*entries, routing={"strategy": "failover"})
    assert _posts(fleet, 6) == "BBBBBB"


def test_the_fastest_provider_is_asked_once_all_are_known(fleet: Fleet) -> None:
    _three(fleet, "latency_based")
    begun = messages.text_stream()[:1]
    rest = messages.text_stream()[1:]
    # A's headers and first event come at once, its content does not: content is what counts.
    fleet["A"].answers_with(streams(*begun, 0.15, *rest))
    fleet["B"].answers_with(streams(before=(0.3,)))
    fleet["C"].answers_with(streams(before=(0.03,)))
    for _ in range(9):
        assert fleet.post(STREAM_MSG).status == 200
    assert fleet.hits == "ABCCCCCCC"
    other = STREAM_MSG.replace(b"claude-x", b"claude-y")  # known of one model, not of the other
    for _ in range(4):
        assert fleet.post(other).status == 200
    assert fleet.hits[9:] == "ABCC"
    fleet["C"].answers_with(FAILS)
    assert fleet.post(STREAM_MSG).header("x-cc-relay-provider") == fleet.name("A")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_open_breaker_is_skipped(fleet: Fleet, strategy: str) -> None:
    routing = {"strategy": strategy}
    if strategy == "model_based":
        routing |= {"model_mapping": {"claude": fleet.name("A")}}  # type: ignore[dict-item]  # YAML
    entries = [fleet.entry(letter) for letter in "ABC"]
    fleet.put(*entries, routing=routing, breaker={"failure_threshold": 1})
    fleet["A"].answers_with(says_error(500, "api_error"))
    until("A is asked and fails", lambda: "A" in _posts(fleet, 1))
    fleet["A"].answers_with(says_message())
    answers = [fleet.post() for _ in range(12)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.header("x-cc-relay-strategy") for answer in answers} == {strategy}
    assert fleet.hits.count("A") == 1


def test_when_every_breaker_is_open_the_relay_says_so(fleet: Fleet) -> None:
    _three_open = [fleet.entry(letter) for letter in "ABC"]
    fleet.put(*_three_open, breaker={"failure_threshold": 1, "open_duration_ms": 20_000})
    for upstream in fleet.upstreams.values():
        upstream.answers_with(says_error(500, "api_error", "theirs"))
    assert fleet.post().json()["error"]["message"] == "theirs"
    assert fleet.hits == "ABC"
    for _ in range(2):
        answer = fleet.post()
        assert answer.status == 503
        assert answer.error() == ("overloaded_error", "all providers unhealthy")
        assert answer.header("retry-after") in ("19", "20")
    assert fleet.hits == "ABC"


def test_debug_headers_come_and_go_by_reload(fleet: Fleet) -> None:
    for debug in (True, False, True):
        fleet.put(fleet.entry("A"), routing={"debug": debug, "strategy": "round_robin"})
        answer = fleet.post()
        seen = {name: answer.header(f"x-cc-relay-{name}") for name in DEBUG}
        said = ("round_robin", fleet.name("A"), "closed", "1", "claude-x")
        assert tuple(seen.values()) == (said if debug else (None,) * 5)
        others = [name for name, _ in answer.headers if name.lower().startswith("x-cc-relay")]
        assert len(others) == (5 if debug else 0)
