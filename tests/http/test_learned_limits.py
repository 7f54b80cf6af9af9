"""What the relay learns from a provider's own words (A.11: 79 to 84; behaviour 9.2, 9.4)."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_json, says_message
from tests.scripted.fleet import Fleet
from tests.scripted.recorded import Recorded
from tests.scripted.waiting import until

PREFIX = "anthropic-ratelimit-"
OWN = {"x-api-key": "a client's own"}


def _in(seconds: float) -> str:
    ahead = datetime.now(UTC) + timedelta(seconds=seconds)
    return ahead.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _says(status: int = 200, **headers: str) -> Answer:
    """An answer with these rate limit headers."""
    named = {PREFIX + name.replace("_", "-"): value for name, value in headers.items()}
    body = messages.message() if status < 400 else messages.error("some_error", "m")
    return says_json(body, status, named)


def _to_first_key(fleet: Fleet, answer: Answer) -> Callable[[Recorded], Answer]:
    first = fleet.key("A")
    return lambda request: answer if request.header("x-api-key") == first else says_message()


def _statuses(fleet: Fleet, count: int) -> list[int]:
    return [fleet.post().status for _ in range(count)]


def test_the_key_with_more_room_is_preferred(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {}, {}))
    told = _says(requests_limit="100", requests_remaining="10", requests_reset=_in(60))
    fleet["A"].answers_with(_to_first_key(fleet, told))
    assert _statuses(fleet, 8) == [200] * 8
    assert fleet.keys_used("A") == [0] + [1] * 7


@pytest.mark.parametrize("kind", ["tokens", "input-tokens", "output-tokens"])
def test_tokens_left_say_as_much_as_requests(fleet: Fleet, kind: str) -> None:
    fleet.put(fleet.entry("A", {}, {}))
    names = {"limit": "100000", "remaining": "100", "reset": _in(60)}
    told = _says(200, **{f"{kind}-{name}": value for name, value in names.items()})
    fleet["A"].answers_with(_to_first_key(fleet, told))
    assert _statuses(fleet, 6) == [200] * 6
    assert fleet.keys_used("A") == [0] + [1] * 5


@pytest.mark.parametrize(
    ("limit", "remaining", "reset"),
    [("abc", "abc", "abc"), ("-100", "-5", "-1"), ("", "", ""), ("0", "1.5", "2026-13-45")],
)
def test_garbage_is_ignored(fleet: Fleet, limit: str, remaining: str, reset: str) -> None:
    fleet.put(fleet.entry("A", {}, {}))
    told = _says(requests_limit=limit, requests_remaining=remaining, requests_reset=reset)
    fleet["A"].answers_with(_to_first_key(fleet, told))
    assert [fleet.settled(fleet.post()).status for _ in range(6)] == [200] * 6
    assert fleet.keys_used("A") == [0, 1] * 3  # equal, so they take turns


@pytest.mark.parametrize("kind", ["requests", "tokens", "input_tokens", "output_tokens"])
def test_nothing_left_rests_the_key_until_the_reset(fleet: Fleet, kind: str) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].answers_with(_says(200, **{f"{kind}_remaining": "0", f"{kind}_reset": _in(30)}))
    assert fleet.post(worker=0).status == 200
    for worker in (1, 0):
        answer = fleet.post(worker=worker)
        assert answer.status == 429
        assert answer.error()[0] == "rate_limit_error"
        assert answer.header("retry-after") in ("28", "29", "30")
    assert fleet.hits == "A"


def test_a_reset_ends_the_rest(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].says(_says(requests_remaining="0", requests_reset=_in(1.2)))
    assert _statuses(fleet, 3) == [200, 429, 429]
    until("the reset has come", lambda: fleet.post().status == 200, 2.5)


def test_nothing_left_means_nothing_without_a_reset_ahead(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].says(
        _says(requests_remaining="0"),
        _says(requests_remaining="0", requests_reset=_in(-5)),
        _says(requests_remaining="0", requests_reset="soon"),
        _says(requests_reset=_in(30)),
    )
    assert _statuses(fleet, 5) == [200] * 5


def test_what_remains_bounds_what_may_start_before_the_reset(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].says(_says(requests_limit="50", requests_remaining="2", requests_reset=_in(30)))
    assert _statuses(fleet, 5) == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("status", [200, 400, 529])
def test_a_learned_limit_holds_whatever_the_status(fleet: Fleet, status: int) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 10}))
    fleet["A"].says(_says(status, requests_limit="3"))
    assert _statuses(fleet, 5) == [status, 200, 200, 429, 429]


def test_headers_never_enlarge_what_is_configured(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 2}))
    told = _says(requests_limit="900", requests_remaining="899", requests_reset=_in(1))
    fleet["A"].answers_with(told)
    assert _statuses(fleet, 3) == [200, 200, 429]
    time.sleep(1.1)  # their reset is past, our window is not
    assert _statuses(fleet, 2) == [429, 429]


def test_what_is_said_of_a_subscription_is_not_used(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    told = {"unified_status": "rejected", "unified_remaining": "0", "unified_reset": _in(30)}
    fleet["A"].answers_with(_says(200, **told))
    assert _statuses(fleet, 4) == [200] * 4


def test_nothing_is_learned_from_a_clients_own_credential(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"))
    fleet["A"].says(_says(requests_remaining="0", requests_reset=_in(30), requests_limit="1"))
    assert fleet.post(headers=OWN).status == 200
    assert _statuses(fleet, 3) == [200] * 3


@pytest.mark.parametrize(("strategy", "share"), [("random", 200), ("weighted", 300)])
def test_chance_never_picks_a_resting_key(fleet: Fleet, strategy: str, share: int) -> None:
    keys = {"weight": 3}, {"weight": 1}, {"weight": 3}
    fleet.put(fleet.entry("A", *keys, pooling={"strategy": strategy}))
    resting = says_error(429, "rate_limit_error", headers={"retry-after": "50"})

    def answer(request: Recorded) -> Answer:
        return resting if request.header("x-api-key") == fleet.key("A", 2) else says_message()

    fleet["A"].answers_with(answer)
    until("the third key rests", lambda: fleet.post().status and 2 in fleet.keys_used("A"))
    fleet["A"].forget()
    assert _statuses(fleet, 400) == [200] * 400
    used = Counter(fleet.keys_used("A"))
    assert set(used) == {0, 1}
    assert share - 40 <= used[0] <= share + 40


def test_the_greater_share_of_room_is_preferred(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A", {"rpm_limit": 100}, {"rpm_limit": 10}))
    assert [fleet.settled(fleet.post()).status for _ in range(12)] == [200] * 12
    # After ten requests the first has 90 % left, as the second has had since its only one; of
    # two with the same share the one with fewer requests comes first.
    assert fleet.keys_used("A") == [0, 1, *[0] * 9, 1]
