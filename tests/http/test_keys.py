"""Several keys of one provider, over both workers (A.11: 75, 76, 79, 80, 82, 83; 9.5, 9.6)."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.client import Response
from tests.scripted.fleet import Fleet
from tests.scripted.recorded import Recorded
from tests.scripted.waiting import until

KEY = "x-api-key"
IN_TURN: dict[str, Any] = {"pooling": {"strategy": "round_robin"}}


@pytest.fixture
def pool(fleet: Fleet) -> Fleet:
    """A with two keys that take turns."""
    fleet.put(fleet.entry("A", {}, {}, **IN_TURN))
    return fleet


def _throttled(**headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return says_error(429, "rate_limit_error", "theirs", named)


def _refusing(fleet: Fleet, refusals: dict[int, Answer]) -> Callable[[Recorded], Answer]:
    """What A says to each of its keys; a message to those not named."""
    by_key = {fleet.key("A", position): answer for position, answer in refusals.items()}
    return lambda request: by_key.get(request.header(KEY) or "") or says_message()


def _header(answers: list[Response], name: str) -> list[str | None]:
    return [answer.header(f"x-cc-relay-{name}") for answer in answers]


def _posts(fleet: Fleet, count: int) -> list[Response]:
    answers = [fleet.post() for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return answers


def _use(fleet: Fleet, position: int) -> None:
    """Ask until this key of A has been sent."""
    until("the key is used", lambda: _posts(fleet, 1) and position in fleet.keys_used("A"), 3)


def _local_wait_s(answer: Response) -> int:
    """How long the relay says that all keys rest."""
    assert answer.status == 429
    assert answer.error()[0] == "rate_limit_error"
    return int(answer.header("retry-after") or "0")


def test_keys_take_turns(pool: Fleet) -> None:
    answers = _posts(pool, 6)
    used = pool.keys_used("A")
    assert used in ([0, 1] * 3, [1, 0] * 3)
    assert _header(answers, "key-id") == [f"{pool.name('A')}/{position}" for position in used]
    assert set(_header(answers, "keys-total")) == {"2"}
    assert set(_header(answers, "keys-available")) == {"2"}


def test_one_key_is_no_pool_unless_told_so(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    assert not [n for n, _ in fleet.post().headers if n.lower().startswith("x-cc-relay-key")]
    fleet.put(fleet.entry("A", pooling={"enabled": True}))
    assert _header(_posts(fleet, 2), "keys-total") == ["1", "1"]
    fleet.put(fleet.entry("A", {}, {}, pooling={"enabled": False}))
    fleet["A"].forget()
    _posts(fleet, 4)
    assert fleet.keys_used("A") == [0] * 4


def test_a_throttled_key_rests_for_both_workers_and_comes_back(pool: Fleet) -> None:
    pool["A"].answers_with(_refusing(pool, {0: _throttled(retry_after="2")}))
    _use(pool, 0)
    rests_from = time.monotonic()
    pool["A"].forget()
    while time.monotonic() < rests_from + 1.5:
        assert _header(_posts(pool, 2), "keys-available") == ["1", "1"]
        time.sleep(0.1)
    assert set(pool.keys_used("A")) == {1}
    _use(pool, 0)
    assert time.monotonic() - rests_from > 1.9


def test_the_client_sees_nothing_of_a_throttled_key(pool: Fleet) -> None:
    pool["A"].answers_with(_refusing(pool, {0: _throttled(retry_after="9")}))
    answers = _posts(pool, 4)
    assert pool.keys_used("A").count(0) == 1
    assert sorted(_header(answers, "attempts"), key=str) == ["1", "1", "1", "2"]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_is_set_aside_for_both_workers(pool: Fleet, status: int) -> None:
    pool["A"].answers_with(_refusing(pool, {0: says_error(status, "some_error")}))
    answers = _posts(pool, 6)
    assert pool.keys_used("A").count(0) == 1
    assert set(_header(answers, "attempts")) == {"1", "2"}
    assert _header(answers, "keys-available")[-1] == "1"


def test_what_becomes_of_a_key_is_logged_once(pool: Fleet) -> None:
    since = len(pool.relay.output())
    refused = says_error(401, "authentication_error")
    pool["A"].answers_with(_refusing(pool, {0: refused, 1: _throttled(retry_after="20")}))
    for _ in range(4):
        pool.settled(pool.post())
    said = [record for record in pool.relay.records(since) if "until" in record]
    assert sorted((each["level"], each["provider"], each["key"]) for each in said) == [
        ("error", pool.name("A"), f"{pool.name('A')}/0"),
        ("warn", pool.name("A"), f"{pool.name('A')}/1"),
    ]
    assert pool.key("A") not in pool.relay.output()


def test_a_key_that_was_set_aside_comes_back_in_time(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {}, {}, **IN_TURN), health={"key_disabled_ms": 700})
    fleet["A"].answers_with(_refusing(fleet, {0: says_error(401, "authentication_error")}))
    _posts(fleet, 4)
    assert fleet.keys_used("A").count(0) == 1
    time.sleep(0.75)
    _posts(fleet, 4)
    assert fleet.keys_used("A").count(0) == 2


def test_another_text_is_another_key(pool: Fleet) -> None:
    pool["A"].answers_with(_refusing(pool, {0: says_error(401, "authentication_error")}))
    _posts(pool, 3)
    repaired = pool.entry("A", {"key": f"repaired-{pool.number}"}, {}, **IN_TURN)
    pool.put(repaired)
    pool["A"].forget()
    assert set(_header(_posts(pool, 4), "keys-available")) == {"2"}
    assert sorted(pool.keys_used("A"), key=str) == [1, 1, None, None]


def test_keys_set_aside_are_the_last_resort(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"))
    refuses = says_error(403, "permission_error")
    fleet["A"].answers_with(refuses)
    fleet["B"].answers_with(refuses)
    assert fleet.post().status == 502
    assert fleet.post().error()[0] == "api_error"
    assert sorted(fleet.hits) == ["A", "A", "B", "B"]
    fleet["B"].answers_with(says_message())  # the account works again
    assert fleet.settled(fleet.post()).header("x-cc-relay-provider") == fleet.name("B")
    asked_of_a = len(fleet["A"].requests)
    _posts(fleet, 3)  # and B's key is no longer set aside
    assert len(fleet["A"].requests) == asked_of_a


def test_when_all_keys_rest_the_relay_says_for_how_long(pool: Fleet) -> None:
    rests = {0: _throttled(retry_after="5"), 1: _throttled(retry_after="40")}
    pool["A"].answers_with(_refusing(pool, rests))
    first = pool.post()
    assert first.status == 429
    assert first.json()["error"]["message"] == "theirs"
    assert sorted(pool.keys_used("A"), key=str) == [0, 1]
    assert [_local_wait_s(pool.post()) in (4, 5) for _ in range(2)] == [True, True]
    assert len(pool["A"].requests) == 2


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def _moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


NONE_LEFT = "anthropic_ratelimit_requests_remaining"
RESET = "anthropic_ratelimit_requests_reset"


@pytest.mark.parametrize(
    ("says", "waits_s"),
    [
        (lambda: {"retry_after_ms": "9500"}, (9, 10)),
        (lambda: {"retry_after_ms": "9500", "retry_after": "30"}, (9, 10)),
        (lambda: {"retry_after": "8.2"}, (8, 9)),
        (lambda: {"retry_after": "0"}, (1, 1)),
        (lambda: {"retry_after": "-30"}, (1, 1)),
        (lambda: {"retry_after": _date(20)}, (18, 20)),
        (lambda: {"retry_after": _date(-20)}, (25, 25)),
        (lambda: {"retry_after": "soon"}, (25, 25)),
        (lambda: {"retry_after": "soon", NONE_LEFT: "0", RESET: _moment(12)}, (11, 12)),
        (lambda: {NONE_LEFT: "3", RESET: _moment(12)}, (25, 25)),
        (dict, (25, 25)),
        (lambda: {"retry_after": "4294967"}, (50, 50)),
        (lambda: {"retry_after": _date(10**9)}, (50, 50)),
    ],
)
def test_a_429_says_how_long_its_key_rests(
    fleet: Fleet, says: Callable[[], dict[str, str]], waits_s: tuple[int, int]
) -> None:
    cooldown = {"default_ms": 25_000, "max_ms": 50_000}
    fleet.put(fleet.entry("A"), health={"cooldown": cooldown})
    fleet["A"].answers_with(_throttled(**says()))
    assert fleet.post(worker=0).json()["error"]["message"] == "theirs"
    shortest, longest = waits_s
    assert shortest - 1 <= _local_wait_s(fleet.post(worker=1)) <= longest
    assert fleet.hits == "A"


def test_no_wait_longer_than_a_minute_is_told(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].answers_with(_throttled(retry_after="4294967"))
    assert fleet.post().status == 429
    assert _local_wait_s(fleet.post()) == 60


def test_a_longer_rest_is_not_shortened(fleet: Fleet, hold: threading.Event) -> None:
    fleet.put(fleet.entry("A"))
    first = threading.Event()
    long, short = _throttled(retry_after="20"), _throttled(retry_after="2")
    fleet["A"].says(replace(long, before=(first,)), replace(short, before=(hold,)))
    two = [fleet.begin(worker=worker) for worker in (0, 1)]
    fleet["A"].wait_for(2)  # both are on their way at once
    first.set()
    until("one is answered", lambda: two[0].is_answered() or two[1].is_answered())
    hold.set()
    assert [client.response().status for client in two] == [429, 429]
    assert _local_wait_s(fleet.post()) in (19, 20)


def test_limits_of_a_pool_are_not_told_to_the_client(pool: Fleet) -> None:
    told = {"anthropic-ratelimit-requests-limit": "9", "anthropic-organization-id": "org"}
    pool["A"].answers_with(says_error(400, "invalid_request_error", headers=told))
    with_pool = pool.post()
    assert not [name for name, _ in with_pool.headers if name.lower() in told]
    with_own = pool.post(headers={KEY: "ck"})
    assert {name: with_own.header(name) for name in told} == told


def test_a_reload_does_not_wake_a_resting_key(pool: Fleet) -> None:
    pool["A"].answers_with(_refusing(pool, {0: says_error(401, "authentication_error")}))
    _posts(pool, 3)
    entry = pool.entry("A", {}, {}, **IN_TURN)
    entry["keys"].reverse()  # in the other order, and with another setting changed
    pool.put(entry, routing={"max_attempts": 3})
    pool["A"].forget()
    _posts(pool, 4)
    assert set(pool.keys_used("A")) == {1}
