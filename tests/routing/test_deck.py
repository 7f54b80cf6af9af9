"""Dealing from a shuffled deck that all workers share."""

from collections import Counter

from hypothesis import given

from relay.routing.candidate import Candidate
from relay.routing.deck import shuffle
from tests.routing.orders import CANDIDATES, TURNS, is_permutation, named

SEED = b"a seed of one installation"


def dealt(candidates: list[Candidate], turns: int, seed: bytes = SEED) -> str:
    return "".join(shuffle(candidates, turn, seed)[0].name for turn in range(turns))


def test_every_block_of_three_is_a_permutation(abc: list[Candidate]) -> None:
    cards = dealt(abc, 300)

    blocks = {cards[start : start + 3] for start in range(0, 300, 3)}
    assert blocks == {"ABC", "ACB", "BAC", "BCA", "CAB", "CBA"}


def test_no_permutation_is_preferred(abc: list[Candidate]) -> None:
    cards = dealt(abc, 1800)

    blocks = Counter(cards[start : start + 3] for start in range(0, 1800, 3))
    assert all(abs(count - 100) < 50 for count in blocks.values())


def test_the_rest_of_the_deck_follows_and_then_those_dealt_already(abc: list[Candidate]) -> None:
    deck = named(shuffle(abc, 30, SEED))

    second, third = (named(shuffle(abc, turn, SEED)) for turn in (31, 32))

    assert second == deck[1:] + deck[:1]
    assert third == deck[2:] + deck[:2]


def test_weights_and_priorities_do_not_matter_to_how_often() -> None:
    candidates = [Candidate("A", priority=2, weight=9), Candidate("B"), Candidate("C")]

    assert Counter(dealt(candidates, 30)) == {"A": 10, "B": 10, "C": 10}


def test_another_seed_is_another_deck(abc: list[Candidate]) -> None:
    assert dealt(abc, 60) != dealt(abc, 60, b"another")


def test_the_deck_is_the_same_in_every_process(abc: list[Candidate]) -> None:
    assert dealt(abc, 12) == "CABCBAACBACB"


@given(CANDIDATES, TURNS)
def test_every_order_asks_everybody_once(candidates: list[Candidate], turn: int) -> None:
    assert is_permutation(shuffle(candidates, turn, SEED), candidates)
