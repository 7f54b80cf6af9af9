"""A conversation with thinking stays with who signed it, else with who accepts it."""

import pytest

from relay.routing.affinity import affinity, led_by
from relay.routing.candidate import Candidate
from tests.routing.orders import named

A, B, C, D = (
    Candidate(name, priority) for name, priority in zip("ABCD", (0, 1, 2, 2), strict=True)
)
ALL = [A, B, C, D]
FAMILIES = {"A": "claude", "B": "claude", "C": "C", "D": "D", "E": "claude"}


def test_the_provider_of_the_newest_block_goes_first() -> None:
    assert affinity(ALL, FAMILIES, [("A", "claude"), ("C", "C")]) is A
    assert affinity(ALL, FAMILIES, [("C", "C"), ("A", "claude")]) is C


def test_newer_blocks_that_nobody_remembers_do_not_hide_who_issued_an_older_one() -> None:
    assert affinity(ALL, FAMILIES, [None, None, ("A", "claude")]) is A


def test_one_of_the_same_family_takes_over_the_one_of_highest_priority() -> None:
    assert affinity(ALL, FAMILIES, [("E", "claude")]) is B
    assert affinity([C, D, A], FAMILIES, [("B", "claude")]) is A


def test_an_unknown_issuer_means_the_highest_priority_in_config_order() -> None:
    assert affinity(ALL, FAMILIES, [None]) is C
    assert affinity([D, C, A], FAMILIES, [None, None]) is D


def test_a_family_that_nobody_has_means_the_highest_priority_too() -> None:
    assert affinity(ALL, FAMILIES, [("gone", "gone")]) is C


def test_a_name_that_now_stands_for_another_family_is_no_issuer() -> None:
    moved = FAMILIES | {"A": "A"}

    assert affinity(ALL, moved, [("A", "claude")]) is B


@pytest.mark.parametrize("candidates", [[], [A]])
def test_there_is_none_where_there_is_nothing_to_choose(candidates: list[Candidate]) -> None:
    assert affinity(candidates, FAMILIES, [("A", "claude")]) is None


def test_there_is_none_without_thinking_in_the_history() -> None:
    assert affinity(ALL, FAMILIES, []) is None


def test_the_others_follow_in_their_order() -> None:
    assert named(led_by(ALL, C)) == "CABD"
    assert named(led_by(ALL, A)) == "ABCD"


def test_without_affinity_the_order_stays() -> None:
    assert named(led_by(ALL, None)) == "ABCD"
