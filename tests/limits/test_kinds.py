"""Limits of a minute, and what a request needs of them."""

import pytest

from relay.limits.kinds import NO_LIMITS, UNKNOWN_LIMIT, Amounts, Limits


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Limits(5, 5, 5, 5), Limits(3, 7, 0, 5), Limits(3, 5, 5, 5)),
        (NO_LIMITS, Limits(3, 7, 0, 5), Limits(3, 7, 0, 5)),
        (NO_LIMITS, NO_LIMITS, NO_LIMITS),
        (Limits(5), Limits(UNKNOWN_LIMIT), Limits(5)),
    ],
)
def test_of_two_limits_the_smaller_holds_and_0_is_none(
    one: Limits, other: Limits, both: Limits
) -> None:
    assert one.beside(other) == other.beside(one) == both


def test_newer_limits_take_the_place_of_those_they_name() -> None:
    known = Limits(50, 1000, 0, UNKNOWN_LIMIT)

    assert known.updated(Limits(60, 0, 7, 9)) == Limits(60, 1000, 7, 9)
    assert known.updated(NO_LIMITS) == known


def test_that_there_is_a_limit_says_nothing_of_one_that_is_known() -> None:
    unknown = Limits(UNKNOWN_LIMIT, UNKNOWN_LIMIT)

    assert Limits(50).updated(unknown) == Limits(50, UNKNOWN_LIMIT)


def test_limits_are_of_tokens_where_one_of_them_is() -> None:
    assert Limits(0, 1).of_tokens
    assert Limits(9, 0, 0, 1).of_tokens
    assert not NO_LIMITS.of_tokens
    assert not Limits(9).of_tokens


def test_the_total_is_input_and_output_together() -> None:
    assert Amounts.of(300, 70) == Amounts(1, 300, 70, 370)
    assert Amounts.of(0, 0, requests=0) == Amounts(0, 0, 0, 0)
