"""A session stays where its prompt cache is, over both workers (behaviour 7.3)."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.client import MSG
from tests.scripted.fleet import Fleet
from tests.scripted.recorded import Recorded

SESSION = "x-claude-code-session-id"
FAILS = says_error(503, "overloaded_error")
Place = tuple[str | None, str | None]


@pytest.fixture
def sessions(fleet: Fleet) -> Iterator[str]:
    """Names of sessions that no test used before; three providers of two keys are in force."""
    keys: list[dict[str, int]] = [{}, {}]
    entries = [fleet.entry(letter, *keys, pooling={"strategy": "round_robin"}) for letter in "ABC"]
    fleet.put(*entries, routing={"strategy": "cache_affinity"})
    return (f"session-{fleet.number}-{number}" for number in range(1000))


def _place(fleet: Fleet, session: str) -> Place:
    """Provider and key that answer this session's next request."""
    answer = fleet.post(headers={SESSION: session})
    assert answer.status == 200
    assert answer.header("x-cc-relay-strategy") == "cache_affinity"
    return answer.header("x-cc-relay-provider"), answer.header("x-cc-relay-key-id")


def _letter(place: Place) -> str:
    return (place[0] or "?")[0]


def test_a_session_stays_with_its_provider_and_key(fleet: Fleet, sessions: Iterator[str]) -> None:
    asked = [next(sessions) for _ in range(12)]
    first = {session: _place(fleet, session) for session in asked}
    for _ in range(5):
        fleet.post(headers={SESSION: asked[0]})  # so that the next round is for other workers
        assert {session: _place(fleet, session) for session in asked} == first


def test_new_sessions_are_spread_over_providers_and_keys(
    fleet: Fleet, sessions: Iterator[str]
) -> None:
    places = {_place(fleet, next(sessions)) for _ in range(60)}
    assert {_letter(place) for place in places} == set("ABC")
    assert len(places) == 6


def test_weights_decide_how_many_sessions_a_provider_gets(fleet: Fleet) -> None:
    entries = [fleet.entry("A", weight=9), fleet.entry("B", weight=1)]
    fleet.put(*entries, routing={"strategy": "cache_affinity"})
    for number in range(200):
        assert _place(fleet, f"weighed-{fleet.number}-{number}")
    assert 160 <= fleet.hits.count("A") <= 195  # 180 ± 4.2; hashes, so it is always the same


def test_every_place_of_a_session_id_is_the_same_session(
    fleet: Fleet, sessions: Iterator[str]
) -> None:
    for _ in range(8):
        session = next(sessions)
        place = _place(fleet, session)
        for user in (json.dumps({"session_id": session}), f"user_1_account__session_{session}"):
            body = MSG[:-1] + b',"metadata":' + json.dumps({"user_id": user}).encode() + b"}"
            answer = fleet.post(body)
            seen = answer.header("x-cc-relay-provider"), answer.header("x-cc-relay-key-id")
            assert seen == place, user


def test_the_header_comes_before_the_body(fleet: Fleet, sessions: Iterator[str]) -> None:
    asked = [next(sessions) for _ in range(8)]
    places = {session: _place(fleet, session) for session in asked}
    other = json.dumps({"user_id": f"user_1_account__session_{asked[0]}"}).encode()
    for session in asked:
        fleet.post(MSG[:-1] + b',"metadata":' + other + b"}", {SESSION: session})
        assert _place(fleet, session) == places[session]
    assert len(set(places.values())) > 1


def test_without_a_session_it_is_failover(fleet: Fleet) -> None:
    entries = [fleet.entry("A"), fleet.entry("B", priority=2), fleet.entry("C", priority=1)]
    fleet.put(*entries, routing={"strategy": "cache_affinity"})
    for _ in range(4):
        fleet.post()
    fleet["B"].answers_with(FAILS)
    fleet.post()
    assert fleet.hits == "BBBBBC"


def test_a_session_that_had_to_move_does_not_jump_back(
    fleet: Fleet, sessions: Iterator[str]
) -> None:
    session = next(sessions)
    home = _place(fleet, session)
    fleet[_letter(home)].says(FAILS)
    moved = _place(fleet, session)
    assert _letter(moved) != _letter(home)
    assert [_place(fleet, session) for _ in range(6)] == [moved] * 6
    assert len(fleet[_letter(home)].requests) == 2


def test_an_answer_that_was_an_error_moves_no_session(
    fleet: Fleet, sessions: Iterator[str]
) -> None:
    session = next(sessions)
    home = _place(fleet, session)
    for letter in "ABC":
        fleet[letter].says(FAILS)
    assert fleet.post(headers={SESSION: session}).status == 503
    assert _place(fleet, session) == home


def test_a_throttled_key_does_not_get_its_sessions_back(
    fleet: Fleet, sessions: Iterator[str]
) -> None:
    session = next(sessions)
    home = _place(fleet, session)
    at = int((home[1] or "/0").rpartition("/")[2])
    resting = fleet.key(_letter(home), at)
    throttled = says_error(429, "rate_limit_error", headers={"retry-after-ms": "700"})

    def answer(request: Recorded) -> Answer:
        return throttled if request.header("x-api-key") == resting else says_message()

    fleet[_letter(home)].answers_with(answer)
    moved = _place(fleet, session)
    assert moved[0] == home[0]  # another key before another provider
    assert moved[1] != home[1]
    fleet[_letter(home)].answers_with(says_message())
    time.sleep(0.8)  # longer than the rest: the key could serve again
    assert [_place(fleet, session) for _ in range(4)] == [moved] * 4


def test_a_reload_moves_no_session(fleet: Fleet, sessions: Iterator[str]) -> None:
    asked = [next(sessions) for _ in range(6)]
    first = [_place(fleet, session) for session in asked]
    keys: list[dict[str, int]] = [{}, {}]
    entries = [fleet.entry(letter, *keys, pooling={"strategy": "round_robin"}) for letter in "CBA"]
    fleet.put(*entries, routing={"strategy": "cache_affinity", "max_attempts": 3})
    assert [_place(fleet, session) for session in asked] == first
