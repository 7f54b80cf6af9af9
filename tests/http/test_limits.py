"""What one key may do in a minute, exact over both workers (A.11: 77, 78; behaviour 9.3, 9.7)."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_json, says_message, streams
from tests.scripted.client import MSG, STREAM_MSG, Response
from tests.scripted.fleet import Fleet
from tests.scripted.waiting import until


def _message(**usage: int) -> Answer:
    """A message that cost this and nothing else."""
    none = dict.fromkeys(messages.USAGE, 0)
    return says_json(messages.message(usage=none | usage))


def _body(text: str = "hi", max_tokens: int = 1) -> bytes:
    return MSG.replace(b'"hi"', f'"{text}"'.encode()).replace(b":5,", f":{max_tokens},".encode())


def _is_taken(answer: Response) -> bool:
    """Whether this is the relay's own word that no key has room."""
    if answer.status != 429:
        return False
    assert answer.error()[0] == "rate_limit_error"
    assert answer.named("retry-after"), answer.headers
    return True


def _statuses(fleet: Fleet, count: int, body: bytes = MSG) -> list[int]:
    return [fleet.post(body).status for _ in range(count)]


def test_a_request_that_has_ended_still_counts(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}))
    assert fleet.post(worker=0).status == 200
    for worker in (1, 0):
        answer = fleet.post(worker=worker)
        assert _is_taken(answer)
        assert 55 <= int(answer.header("retry-after") or "0") <= 60
    assert fleet.hits == "A"


def test_each_key_has_its_own_limit(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}, {"rpm_limit": 1}))
    answers = [fleet.post() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert _is_taken(answers[2])
    assert sorted(fleet.keys_used("A"), key=str) == [0, 1]
    available = [answer.header("x-cc-relay-keys-available") for answer in answers[:2]]
    assert available == ["1", "0"]


def test_a_burst_gets_through_up_to_the_limit(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 5}, {"rpm_limit": 2}))
    statuses = sorted(answer.status for answer in fleet.burst(24))
    assert statuses == [200] * 7 + [429] * 17
    assert sorted(fleet.keys_used("A"), key=str) == [0] * 5 + [1] * 2


def test_a_key_without_room_is_passed_over_in_silence(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}, priority=2), fleet.entry("B"))
    answers = [fleet.post() for _ in range(4)]
    assert fleet.hits == "ABBB"
    assert {answer.header("x-cc-relay-attempts") for answer in answers} == {"1"}


def test_keys_of_the_highest_priority_that_have_room_come_first(fleet: Fleet) -> None:
    keys = {"priority": 0}, {"priority": 2, "rpm_limit": 2}, {"priority": 1, "rpm_limit": 1}
    fleet.put(fleet.entry("A", *keys))
    assert _statuses(fleet, 5) == [200] * 5
    assert fleet.keys_used("A") == [1, 1, 2, 0, 0]


def test_a_reload_gives_no_room(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}, {"rpm_limit": 1}))
    assert _statuses(fleet, 2) == [200, 200]
    entry = fleet.entry("A", {"rpm_limit": 1}, {"rpm_limit": 1})
    entry["keys"].reverse()
    fleet.put(entry, routing={"max_attempts": 3})
    assert _statuses(fleet, 2) == [429, 429]
    fleet.put(fleet.entry("A", {"rpm_limit": 3}))  # what changed itself does
    assert _statuses(fleet, 4) == [200, 200, 429, 429]


def test_a_local_429_moves_no_breaker(fleet: Fleet) -> None:
    breaker = {"failure_threshold": 1}
    fleet.put(fleet.entry("A", {"rpm_limit": 1}), breaker=breaker)
    assert _statuses(fleet, 5) == [200] + [429] * 4
    fleet.put(fleet.entry("A"), breaker=breaker)
    assert fleet.post().header("x-cc-relay-health") == "closed"


def test_the_earliest_of_all_candidates_is_told(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}, priority=2), fleet.entry("B"))
    resting = says_error(429, "rate_limit_error", headers={"retry-after": "7"})
    fleet["B"].says(resting)
    assert _statuses(fleet, 2) == [200, 429]
    answer = fleet.post()
    assert _is_taken(answer)
    assert answer.header("retry-after") in ("6", "7")
    assert fleet.hits == "AB"


@pytest.mark.parametrize(
    ("limit", "usage", "second"),
    [
        # Little is asked for, so what the first really cost decides about the second.
        ({"itpm_limit": 1000}, {"input_tokens": 1000}, 429),
        ({"itpm_limit": 1000}, {"input_tokens": 400, "cache_creation_input_tokens": 600}, 429),
        ({"itpm_limit": 1000}, {"input_tokens": 900, "output_tokens": 5000}, 200),
        ({"itpm_limit": 1000}, {"input_tokens": 5, "cache_read_input_tokens": 90_000}, 200),
        ({"otpm_limit": 1000}, {"output_tokens": 1000}, 429),
        ({"otpm_limit": 1000}, {"output_tokens": 900, "input_tokens": 5000}, 200),
        ({"tpm_limit": 1000}, {"input_tokens": 500, "output_tokens": 500}, 429),
        ({"tpm_limit": 1000}, {"input_tokens": 500, "output_tokens": 400}, 200),
        ({"tpm_limit": 1000}, {"cache_read_input_tokens": 90_000, "output_tokens": 9}, 200),
    ],
    ids=str,
)
def test_what_a_request_cost_is_what_counts(
    fleet: Fleet, limit: Mapping[str, int], usage: Mapping[str, int], second: int
) -> None:
    fleet.put(fleet.entry("A", limit))
    fleet["A"].answers_with(_message(**usage))
    assert fleet.settled(fleet.post(_body())).status == 200
    assert fleet.post(_body()).status == second
    assert fleet.hits == ("AA" if second == 200 else "A")


@pytest.mark.parametrize(
    ("limit", "body"),
    [
        ({"itpm_limit": 1000}, _body("x" * 2700)),  # about 750 tokens
        ({"otpm_limit": 1000}, _body(max_tokens=750)),
        ({"tpm_limit": 1000}, _body("x" * 1440, max_tokens=350)),
    ],
    ids=["input", "output", "both"],
)
def test_what_was_reserved_and_not_used_is_given_back(
    fleet: Fleet, hold: threading.Event, limit: Mapping[str, int], body: bytes
) -> None:
    fleet.put(fleet.entry("A", limit))
    fleet["A"].says(says_json(messages.message(usage={"input_tokens": 9}), before=(hold,)))
    held = fleet.begin(body, worker=0)
    fleet["A"].wait_for(1)
    assert _is_taken(fleet.post(body, worker=1))  # while the first is under way
    hold.set()
    assert held.response().content
    until("the first is settled", lambda: fleet.post(body, worker=1).status == 200, 2)


def test_output_is_reserved_by_what_answers_are_like(fleet: Fleet, hold: threading.Event) -> None:
    fleet.put(fleet.entry("A", {"otpm_limit": 2500}))
    greedy = _body(max_tokens=64_000)
    for worker in (0, 1):  # nothing is known: 1024, and 7 when it has ended
        assert fleet.post(greedy, worker=worker).status == 200
    fleet["A"].answers_with(says_message(before=(hold,)))
    # Known are answers of 7 tokens, so 14 are reserved for each.
    others = [fleet.begin(greedy) for _ in range(10)]
    fleet["A"].wait_for(12)
    hold.set()
    assert {other.response().status for other in others} == {200}


def test_what_is_larger_than_its_limit_waits_for_an_empty_window(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"itpm_limit": 100}), fleet.entry("B", {"otpm_limit": 3}))
    fleet["A"].answers_with(_message(input_tokens=5))
    small, large = _body(max_tokens=9), _body("x" * 4000, max_tokens=9)
    for body, route in ((large, "A"), (small, "AA"), (large, "AAB")):
        assert fleet.settled(fleet.post(body)).status == 200
        assert fleet.hits == route
    assert _is_taken(fleet.post(large))


@pytest.mark.parametrize("status", [400, 404, 422])
def test_the_tokens_of_an_error_are_given_back_its_request_is_not(
    fleet: Fleet, status: int
) -> None:
    body = _body("x" * 2700, max_tokens=700)
    fleet.put(fleet.entry("A", {"tpm_limit": 1500, "rpm_limit": 3}))
    fleet["A"].answers_with(says_error(status, "some_error"))
    assert [fleet.settled(fleet.post(body)).status for _ in range(3)] == [status] * 3
    assert _is_taken(fleet.post(body))
    assert fleet.hits == "AAA"


def test_what_reached_nobody_is_given_back(fleet: Fleet) -> None:
    nowhere = fleet.entry("A", {"rpm_limit": 1}, base_url="http://127.0.0.1:1")
    fleet.put(nowhere)
    assert _statuses(fleet, 3) == [502, 502, 502]
    fleet.put(fleet.entry("A", {"rpm_limit": 1}))
    assert _statuses(fleet, 2) == [200, 429]


def test_the_usage_of_a_stream_is_counted_once(fleet: Fleet) -> None:
    # The start says 1 token of output, the end 7: together 7, not 8.
    fleet.put(fleet.entry("A", {"otpm_limit": 12}))
    fleet["A"].answers_with(streams())
    assert _statuses(fleet, 3, STREAM_MSG) == [200, 200, 429]


def test_what_a_broken_stream_cost_is_counted(fleet: Fleet) -> None:
    spent: dict[str, Any] = dict(messages.USAGE, input_tokens=1000)
    begun = messages.event("message_start", message=messages.message(content=[], usage=spent))
    fleet.put(fleet.entry("A", {"itpm_limit": 1000}))
    fleet["A"].says(streams(begun, *messages.beginning()[1:], 0.1, ends="reset"))
    broken = fleet.settled(fleet.post(STREAM_MSG))
    assert broken.status == 200
    assert broken.is_cut()
    assert _is_taken(fleet.post(STREAM_MSG))


def test_a_client_that_left_keeps_nothing_reserved(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"otpm_limit": 1000}))
    fleet["A"].says(streams(*messages.beginning(), 60.0))
    body = STREAM_MSG.replace(b":5,", b":900,")
    client = fleet.begin(body, worker=0)
    assert client.response().take(len(b"".join(messages.beginning())))
    assert _is_taken(fleet.post(body, worker=1))
    client.close()
    assert fleet["A"].requests[0].closed.wait(3)
    until("its reservation is settled", lambda: fleet.post(body, worker=1).status == 200, 2)


def test_a_clients_own_credential_knows_no_limit(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 1}, {"rpm_limit": 1}))
    own = {"Authorization": "Bearer theirs"}
    answers = [fleet.post(headers=own) for _ in range(6)]
    assert {answer.status for answer in answers} == {200}
    assert not [n for answer in answers for n, _ in answer.headers if "relay-key" in n.lower()]
    assert _statuses(fleet, 3) == [200, 200, 429]
