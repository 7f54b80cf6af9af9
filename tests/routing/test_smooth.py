"""Smooth weighted round robin from the number of the turn."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.routing.candidate import Candidate, weighing
from relay.routing.smooth import LONGEST_PERIOD, weighted_round_robin
from tests.routing.orders import CANDIDATES, TURNS, is_permutation, named


def weighted(*weights: int) -> list[Candidate]:
    return [Candidate("ABCD"[at], weight=weighing(weight)) for at, weight in enumerate(weights)]


def firsts(candidates: list[Candidate], turns: int) -> str:
    return "".join(weighted_round_robin(candidates, turn)[0].name for turn in range(turns))


def test_weights_3_2_1_go_a_b_a_c_b_a_and_repeat() -> None:
    assert firsts(weighted(3, 2, 1), 18) == "ABACBA" * 3


def test_weights_3_2_1_share_600_requests_as_300_200_100() -> None:
    assert Counter(firsts(weighted(3, 2, 1), 600)) == {"A": 300, "B": 200, "C": 100}


@pytest.mark.parametrize("weights", [(1, 1, 1), (0, 0, 0), (7, 7, 7), (0, 1, 0)])
def test_equal_or_missing_weights_take_equal_turns(weights: tuple[int, ...]) -> None:
    assert firsts(weighted(*weights), 9) == "ABC" * 3


def test_the_others_follow_by_descending_current_value() -> None:
    orders = [named(weighted_round_robin(weighted(3, 2, 1), turn)) for turn in range(6)]

    assert orders == ["ABC", "BCA", "ACB", "CBA", "BAC", "ABC"]


def by_the_rule(weights: list[int], turns: int) -> list[list[int]]:
    """The rule of behaviour 7.3, walked turn by turn."""
    current = [0] * len(weights)
    orders = []
    for _ in range(turns):
        current = [value + weight for value, weight in zip(current, weights, strict=True)]
        order = sorted(range(len(weights)), key=lambda at: (-current[at], at))
        current[order[0]] -= sum(weights)
        orders.append(order)
    return orders


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_every_turn_is_what_the_rule_gives_when_it_is_walked(weights: list[int]) -> None:
    candidates = weighted(*weights)
    turns = 2 * sum(weights) + 1

    orders = [weighted_round_robin(candidates, turn) for turn in range(turns)]

    expected = [[candidates[at] for at in order] for order in by_the_rule(weights, turns)]
    assert orders == expected


@pytest.mark.parametrize("weights", [(1_000_000, 1, 500_000), (10**30, 10**30 - 1), (4001, 2000)])
def test_absurd_weights_keep_their_shares_within_a_thousandth(weights: tuple[int, ...]) -> None:
    candidates = weighted(*weights)

    taken = Counter(firsts(candidates, LONGEST_PERIOD))

    for candidate in candidates:
        ideal = candidate.weight / sum(weights)
        assert taken[candidate.name] > 0
        assert taken[candidate.name] / LONGEST_PERIOD == pytest.approx(ideal, abs=0.001)


@given(CANDIDATES, TURNS)
def test_every_order_asks_everybody_once(candidates: list[Candidate], turn: int) -> None:
    assert is_permutation(weighted_round_robin(candidates, turn), candidates)
