"""The strategies of one rule each, row by row of behaviour 7.3."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from relay.routing.candidate import Candidate
from relay.routing.strategies import (
    Load,
    failover,
    latency_based,
    least_loaded,
    round_robin,
    weighted_failover,
)
from tests.routing.orders import CANDIDATES, TURNS, chance, is_permutation, named


def test_failover_goes_by_descending_priority_and_keeps_the_order_of_equals() -> None:
    priorities = {"A": 0, "B": 2, "C": 1, "D": 2, "E": 0}
    candidates = [Candidate(name, priority) for name, priority in priorities.items()]

    assert named(failover(candidates)) == "BDCAE"


def test_failover_always_begins_with_the_higher_priority() -> None:
    assert named(failover([Candidate("A", 1), Candidate("B", 2)])) == "BA"


def test_round_robin_takes_turns_and_goes_on_cyclically(abc: list[Candidate]) -> None:
    orders = [named(round_robin(abc, turn)) for turn in range(9)]

    assert orders == ["ABC", "BCA", "CAB"] * 3


def test_least_loaded_prefers_who_has_fewest_exchanges(abc: list[Candidate]) -> None:
    loads = {"A": Load(2, 0.0), "B": Load(0, 9.0), "C": Load(1, 0.0)}

    assert named(least_loaded(abc, loads)) == "BCA"


def test_least_loaded_prefers_the_higher_priority_of_equally_busy_ones() -> None:
    candidates = [Candidate("A", 0), Candidate("B", 2), Candidate("C", 1)]
    loads = {"A": Load(1, 1.0), "B": Load(1, 3.0), "C": Load(1, 2.0)}

    assert named(least_loaded(candidates, loads)) == "BCA"


def test_least_loaded_then_prefers_whose_last_request_began_longest_ago(
    abc: list[Candidate],
) -> None:
    loads = {"A": Load(0, 30.0), "B": Load(0, 10.0), "C": Load(0, 20.0)}

    assert named(least_loaded(abc, loads)) == "BCA"


def test_least_loaded_takes_who_was_never_asked_first_and_then_config_order(
    abc: list[Candidate],
) -> None:
    assert named(least_loaded(abc, {})) == "ABC"
    assert named(least_loaded(abc, {"A": Load(0, 1.0)})) == "BCA"


def test_weighted_failover_puts_nine_in_ten_first_at_nine_to_one() -> None:
    candidates = [Candidate("A", weight=9), Candidate("B", weight=1)]
    random = chance(7)

    firsts = Counter(weighted_failover(candidates, random)[0].name for _ in range(1000))

    assert abs(firsts["A"] - 900) <= 50


def test_weighted_failover_draws_each_next_one_by_weight_from_those_left() -> None:
    candidates = [Candidate("A", weight=8), Candidate("B", weight=3), Candidate("C", weight=1)]
    random = chance(7)

    orders = [named(weighted_failover(candidates, random)) for _ in range(4000)]

    after_a = Counter(order[1] for order in orders if order[0] == "A")
    assert abs(after_a["B"] / after_a.total() - 3 / 4) < 0.03


def test_weighted_failover_is_as_random_as_what_it_is_given(abc: list[Candidate]) -> None:
    twice = [
        [named(weighted_failover(abc, random)) for _ in range(9)]
        for random in (chance(1), chance(1))
    ]

    assert twice[0] == twice[1]


def test_latency_based_ascends(abc: list[Candidate]) -> None:
    assert named(latency_based(abc, {"A": 0.9, "B": 0.2, "C": 0.5})) == "BCA"


def test_latency_based_asks_who_has_no_sample_before_the_others_in_config_order(
    abc: list[Candidate],
) -> None:
    assert named(latency_based(abc, {"A": 0.0, "B": None})) == "BCA"
    assert named(latency_based(abc, {"A": 0.5, "B": 0.5, "C": 0.5})) == "ABC"


@given(CANDIDATES, TURNS, st.data())
def test_every_order_asks_everybody_once(
    candidates: list[Candidate], turn: int, data: st.DataObject
) -> None:
    names = st.sampled_from([candidate.name for candidate in candidates] or ["nobody"])
    loads = data.draw(st.dictionaries(names, st.builds(Load, st.integers(0, 3), st.floats(0, 9))))
    latencies = data.draw(st.dictionaries(names, st.none() | st.floats(0, 9)))

    orders = [
        failover(candidates),
        round_robin(candidates, turn),
        least_loaded(candidates, loads),
        weighted_failover(candidates, chance(turn)),
        latency_based(candidates, latencies),
    ]

    assert all(is_permutation(order, candidates) for order in orders)
