"""Sessions stay where their cache is; new ones are spread by weight."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.routing.candidate import Candidate
from relay.routing.rendezvous import cache_affinity
from tests.routing.orders import CANDIDATES, is_permutation, named

SESSIONS = [f"session-{number}" for number in range(2000)]


def home(candidates: list[Candidate], session: str) -> str:
    return cache_affinity(candidates, session, None)[0].name


def test_a_session_always_gets_the_same_order(abc: list[Candidate]) -> None:
    orders = {named(cache_affinity(abc, "one", None)) for _ in range(3)}

    assert len(orders) == 1


def test_the_order_of_the_configuration_and_priorities_do_not_matter(abc: list[Candidate]) -> None:
    turned = [Candidate("C", priority=2), Candidate("A"), Candidate("B")]

    assert [home(abc, session) for session in SESSIONS[:50]] == [
        home(turned, session) for session in SESSIONS[:50]
    ]


def test_new_sessions_are_spread_by_weight() -> None:
    candidates = [Candidate("A", weight=6), Candidate("B", weight=3), Candidate("C", weight=1)]

    homes = Counter(home(candidates, session) for session in SESSIONS)

    for candidate in candidates:
        assert homes[candidate.name] / 2000 == pytest.approx(candidate.weight / 10, abs=0.03)


@pytest.mark.parametrize("gone", "ABC")
def test_when_a_candidate_goes_only_its_sessions_move_each_to_its_next(
    abc: list[Candidate], gone: str
) -> None:
    left = [candidate for candidate in abc if candidate.name != gone]

    for session in SESSIONS[:300]:
        before = named(cache_affinity(abc, session, None))
        assert named(cache_affinity(left, session, None)) == before.replace(gone, "")


def test_a_session_stays_with_who_has_its_cache_and_the_rest_keeps_its_rank(
    abc: list[Candidate],
) -> None:
    rank = named(cache_affinity(abc, "one", None))
    last = rank[-1]

    assert named(cache_affinity(abc, "one", last)) == last + rank[:-1]


def test_who_cannot_be_selected_keeps_no_session(abc: list[Candidate]) -> None:
    assert cache_affinity(abc, "one", "gone") == cache_affinity(abc, "one", None)


def test_without_a_session_it_is_failover() -> None:
    candidates = [Candidate("A"), Candidate("B", priority=2), Candidate("C", priority=1)]

    assert named(cache_affinity(candidates, "", None)) == "BCA"
    assert named(cache_affinity(candidates, "", "A")) == "BCA"


@given(CANDIDATES, st.text(), st.none() | st.text(max_size=1))
def test_every_order_asks_everybody_once(
    candidates: list[Candidate], session: str, stays_with: str | None
) -> None:
    assert is_permutation(cache_affinity(candidates, session, stays_with), candidates)
