"""What headers say about limits; each field stands for itself (behaviour 9.4)."""

import pytest

from relay.limits.kinds import NO_LIMITS, UNKNOWN_LIMIT, Kind, Limits
from relay.limits.learned import NOTHING_LEARNED, Left, learned

# 2026-11-25T03:00:00Z
NOW = 1795575600.0
IN_90_S = "2026-11-25T03:01:30Z"
AGO = "2026-11-25T02:59:59Z"
WORDS = {
    Kind.REQUESTS: "requests",
    Kind.INPUT: "input-tokens",
    Kind.OUTPUT: "output-tokens",
    Kind.TOTAL: "tokens",
}


def told(word: str = "requests", **fields: str) -> list[tuple[str, str]]:
    """The headers of one kind: `limit`, `remaining`, `reset`."""
    return [(f"anthropic-ratelimit-{word}-{name}", value) for name, value in fields.items()]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_read(kind: Kind) -> None:
    found = learned(told(WORDS[kind], limit="50", remaining="7", reset=IN_90_S), now_wall=NOW)

    assert found.limits[kind] == 50
    assert sum(found.limits) == 50
    assert found.left == {kind: Left(7, 90.0)}


def test_all_kinds_may_come_at_once_among_other_headers() -> None:
    headers = [("content-type", "application/json")]
    for number, word in enumerate(WORDS.values(), start=1):
        headers += told(word, limit=str(number * 10), remaining=str(number), reset=IN_90_S)

    found = learned(headers, now_wall=NOW)

    assert found.limits == Limits(10, 20, 30, 40)
    assert [each.remaining for each in found.left.values()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("retry-after", "5")],
        told("unified", limit="5", remaining="0", reset=IN_90_S),
        told("unified-5h", limit="5", remaining="0", reset="1795575690"),
        [("x-ratelimit-limit-requests", "5")],
    ],
)
def test_other_headers_say_nothing(headers: list[tuple[str, str]]) -> None:
    assert learned(headers, now_wall=NOW) == NOTHING_LEARNED


@pytest.mark.parametrize(
    "limit",
    ["0", "-5", "5.5", "five", "", " ", "5e3", "0x10", "1_000", "1,000", "٣", "inf", "9" * 400],
)
def test_a_limit_that_is_no_number_is_ignored_by_itself(limit: str) -> None:
    found = learned(told(limit=limit, remaining="7", reset=IN_90_S), now_wall=NOW)

    assert found.left == {Kind.REQUESTS: Left(7, 90.0)}
    assert found.limits == Limits(requests=UNKNOWN_LIMIT)


@pytest.mark.parametrize("remaining", ["-1", "3.5", "none", "", "1_0", "9" * 400])
def test_what_remains_is_ignored_by_itself(remaining: str) -> None:
    found = learned(told(limit="50", remaining=remaining, reset=IN_90_S), now_wall=NOW)

    assert (found.limits, found.left) == (Limits(requests=50), {})


@pytest.mark.parametrize(
    "reset",
    [
        "",
        "soon",
        AGO,
        "2026-11-25T03:00:00Z",
        "1970-01-01T00:00:00Z",
        "0000-00-00T00:00:00Z",
        "2026-13-25T03:01:30Z",
        "2026-11-25T25:01:30Z",
        "2026-11-25T03:01:30",
        "2026-11-25",
        "1795575690",
        "90",
        "Wed, 25 Nov 2026 03:01:30 GMT",
        "2026-11-25T03:01:30Z" * 50,
        "٢٠٢٦-11-25T03:01:30Z",
    ],
)
def test_a_reset_that_is_none_or_past_is_ignored_by_itself(reset: str) -> None:
    found = learned(told(limit="50", remaining="0", reset=reset), now_wall=NOW)

    assert found.limits == Limits(requests=50)
    assert found.exhausted_s == 0


@pytest.mark.parametrize(
    ("reset", "ahead_s"),
    [
        (IN_90_S, 90),
        ("2026-11-25t03:01:30z", 90),
        ("2026-11-25 03:01:30Z", 90),
        ("2026-11-25T03:00:00.5Z", 0.5),
        ("2026-11-25T03:00:00.123456789Z", 0.123456),
        ("2026-11-25T04:01:30+01:00", 90),
        ("2026-11-24T21:01:30-06:00", 90),
        ("9999-12-31T23:59:59Z", 251_607_988_799),
        ("9999-12-31T23:59:59-23:59", 251_607_988_799),
    ],
)
def test_a_reset_is_any_moment_of_rfc_3339(reset: str, ahead_s: float) -> None:
    found = learned(told(remaining="3", reset=reset), now_wall=NOW)

    assert found.left[Kind.REQUESTS].ahead_s == pytest.approx(ahead_s, abs=0.01, rel=0.01)


def test_what_remains_without_a_reset_and_a_reset_alone_say_nothing() -> None:
    assert learned(told(remaining="0"), now_wall=NOW) == NOTHING_LEARNED
    assert learned(told(reset=IN_90_S), now_wall=NOW).left == {}
    assert learned(told(reset=IN_90_S), now_wall=NOW).limits == NO_LIMITS


def test_a_key_is_exhausted_until_the_last_reset_of_what_is_used_up() -> None:
    headers = [
        *told("requests", remaining="0", reset="2026-11-25T03:00:10Z"),
        *told("input-tokens", remaining="0", reset="2026-11-25T03:00:40Z"),
        *told("output-tokens", remaining="1", reset=IN_90_S),
    ]

    assert learned(headers, now_wall=NOW).exhausted_s == 40
    assert learned(headers[4:], now_wall=NOW).exhausted_s == 0
    assert NOTHING_LEARNED.exhausted_s == 0


def test_the_largest_numbers_fit_into_what_is_known_of_a_key() -> None:
    found = learned(told(limit="9" * 15, remaining="9" * 15, reset=IN_90_S), now_wall=NOW)

    assert found.limits.requests == 10**15 - 1 < UNKNOWN_LIMIT
    assert found.left[Kind.REQUESTS].remaining == 10**15 - 1
