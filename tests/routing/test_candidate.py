"""What a candidate counts, and when two sets of them are one."""

from relay.routing.candidate import Candidate, set_id, weighing

AB = [Candidate("A", weight=2), Candidate("B", weight=1)]


def test_a_weight_of_0_counts_as_1() -> None:
    assert [weighing(weight) for weight in (0, 1, 2)] == [1, 1, 2]


def test_a_set_is_the_same_for_the_same_names_and_weights_whatever_their_priorities() -> None:
    again = [Candidate("A", priority=2, weight=2), Candidate("B")]

    assert set_id(again) == set_id(AB)


def test_a_set_is_another_with_another_name_weight_order_or_number() -> None:
    others = [
        [],
        AB[:1],
        AB[::-1],
        [*AB, Candidate("C")],
        [Candidate("A", weight=1), Candidate("B", weight=1)],
        [Candidate("A", weight=2), Candidate("C", weight=1)],
        [Candidate("A2", weight=1), Candidate("B", weight=1)],
    ]

    assert len({set_id(candidates) for candidates in [AB, *others]}) == len(others) + 1


def test_a_set_has_a_short_name_that_is_the_same_in_every_process() -> None:
    assert set_id(AB) == "7716837e515ce34a"
