"""How long a key rests: every row of behaviour 9.5."""

import pytest

from relay.keys.rest import rest_s

# 2026-11-25T03:00:00Z
NOW = 1795575600.0
DEFAULT_S = 60.0
MAX_S = 3600.0
IN_90_S = "2026-11-25T03:01:30Z"
AGO = "2026-11-25T02:59:59Z"
REQUESTS_GONE = {
    "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": IN_90_S,
}

ROWS = [
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "200", "retry-after": "7"}, 0.2),
    ({"retry-after-ms": "99999999"}, MAX_S),
    ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
    ({"retry-after-ms": "0", "retry-after": "0"}, 1),
    ({"retry-after-ms": "-5"}, DEFAULT_S),
    ({"retry-after": "2"}, 2),
    ({"retry-after": " 2 "}, 2),
    ({"retry-after": "2.5"}, 2.5),
    ({"retry-after": "0.2"}, 1),
    ({"retry-after": "0"}, 1),
    ({"retry-after": "-3"}, 1),
    ({"retry-after": "86400"}, MAX_S),
    ({"retry-after": "9" * 400}, MAX_S),
    ({"retry-after": "Wed, 25 Nov 2026 03:00:30 GMT"}, 30),
    ({"retry-after": "Wednesday, 25-Nov-26 03:00:30 GMT"}, 30),
    ({"retry-after": "Wed Nov 25 03:00:30 2026"}, 30),
    ({"retry-after": "Wed, 25 Nov 2099 03:00:30 GMT"}, MAX_S),
    ({"retry-after": "Wed, 25 Nov 2026 02:59:00 GMT"}, DEFAULT_S),
    ({"retry-after": "Wed, 25 Nov 2026 02:59:00 GMT"} | REQUESTS_GONE, 90),
    ({"retry-after": "soon"} | REQUESTS_GONE, 90),
    ({"retry-after": "inf"}, DEFAULT_S),
    ({"retry-after": "1_0"}, DEFAULT_S),
    ({"retry-after": "Wed, 99 Nov 2026 03:00:30 GMT"}, DEFAULT_S),
    ({"retry-after": ""}, DEFAULT_S),
    (REQUESTS_GONE, 90),
    ({"retry-after": "5"} | REQUESTS_GONE, 5),
    (
        {
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-25T04:01:30.5+01:00",
        },
        90.5,
    ),
    (
        REQUESTS_GONE
        | {
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "2026-11-25T03:02:00Z",
        },
        120,
    ),
    (REQUESTS_GONE | {"anthropic-ratelimit-requests-remaining": "3"}, DEFAULT_S),
    (REQUESTS_GONE | {"anthropic-ratelimit-requests-reset": AGO}, DEFAULT_S),
    (REQUESTS_GONE | {"anthropic-ratelimit-requests-reset": "tomorrow"}, DEFAULT_S),
    (REQUESTS_GONE | {"anthropic-ratelimit-requests-reset": "2026-13-25T03:02:00Z"}, DEFAULT_S),
    (REQUESTS_GONE | {"anthropic-ratelimit-requests-reset": "2027-11-25T03:02:00Z"}, MAX_S),
    ({}, DEFAULT_S),
]


@pytest.mark.parametrize(("headers", "expected"), ROWS)
def test_a_key_rests_as_long_as_the_answer_says(headers: dict[str, str], expected: float) -> None:
    rest = rest_s(headers, now_wall=NOW, default_s=DEFAULT_S, max_s=MAX_S)

    assert rest == pytest.approx(expected)


def test_of_a_repeated_header_the_first_value_counts() -> None:
    headers = [("retry-after", "2"), ("retry-after", "50")]

    assert rest_s(headers, now_wall=NOW, default_s=DEFAULT_S, max_s=MAX_S) == 2


def test_the_default_is_no_longer_than_the_longest_rest() -> None:
    assert rest_s({}, now_wall=NOW, default_s=60, max_s=5) == 5
