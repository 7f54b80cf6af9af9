"""What is taken while the store is away, or there, is given back where it was taken."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from relay.state.shared import SharedStore
from relay.state.store import Claim, Taken
from tests.state.leaving import LONG_S, ONE, Leaving, counted


@pytest.fixture
def store() -> Leaving:
    return Leaving()


@pytest.fixture
def shared(store: Leaving) -> SharedStore:
    return SharedStore(store)


def test_what_was_taken_from_the_store_is_settled_there(
    shared: SharedStore, store: Leaving
) -> None:
    taken = shared.take(ONE)
    assert isinstance(taken, Taken)
    store.is_away = True
    shared.take(ONE)
    store.is_away = False

    shared.settle(taken, (0,))

    assert counted(store) == 0


def test_what_was_taken_while_away_is_settled_in_this_process_when_the_store_is_back(
    shared: SharedStore, store: Leaving
) -> None:
    store.is_away = True
    taken = shared.take(ONE)
    assert isinstance(taken, Taken)
    store.is_away = False
    shared.take(ONE)

    shared.settle(taken, (0,))

    assert counted(store) == 1
    store.is_away = True
    assert counted(shared) == 0


def test_what_the_store_lent_is_not_settled_in_this_process(
    shared: SharedStore, store: Leaving
) -> None:
    lent = shared.take(ONE)
    store.is_away = True
    shared.take(ONE)
    assert isinstance(lent, Taken)

    shared.settle(lent, (0,))

    assert counted(shared) == 1


@pytest.mark.parametrize(("lent_while_away", "is_away_then"), [(True, False), (False, True)])
def test_a_place_is_freed_where_it_was_taken(
    shared: SharedStore,
    store: Leaving,
    lent_while_away: bool,  # noqa: FBT001  a parameter of the test
    is_away_then: bool,  # noqa: FBT001
) -> None:
    def free(away: bool) -> bool:  # noqa: FBT001
        store.is_away = away
        return shared.hold("p", 1, LONG_S) is not None

    store.is_away = lent_while_away
    token = shared.hold("p", 1, LONG_S)
    assert token is not None
    assert free(is_away_then)

    store.is_away = lent_while_away
    shared.let_go("p", token)

    assert free(lent_while_away)
    assert not free(is_away_then)


def test_a_place_of_the_store_s_is_not_freed_while_it_is_away_and_nothing_else_is(
    shared: SharedStore, store: Leaving
) -> None:
    token = shared.hold("p", 1, LONG_S)
    assert token is not None
    store.is_away = True
    assert shared.hold("p", 1, LONG_S) is not None

    shared.let_go("p", token)

    assert shared.hold("p", 1, LONG_S) is None


def test_what_was_lent_while_away_lasts_when_it_is_renewed_after(
    shared: SharedStore, store: Leaving
) -> None:
    token = _holds_away(shared, store)

    shared.renew({"l": 1}, [("p", token)], LONG_S)

    store.is_away = True
    assert shared.hold("p", 1, LONG_S) is None


def _holds_away(shared: SharedStore, store: Leaving) -> str:
    store.is_away = True
    token = shared.hold("p", 1, LONG_S)
    store.is_away = False
    assert token is not None
    return token


def test_a_renewal_goes_to_the_store_with_its_own_tokens_alone() -> None:
    asked: list[Sequence[tuple[str, str]]] = []

    class Noting(Leaving):
        def renew(
            self, lasting: Mapping[str, int], places: Sequence[tuple[str, str]], ttl_s: float
        ) -> None:
            asked.append(places)
            super().renew(lasting, places, ttl_s)

    noting = Noting()
    shared = SharedStore(noting)
    local = _holds_away(shared, noting)
    token = shared.hold("p", 1, LONG_S)
    assert token is not None

    shared.renew({"l": 1}, [("p", local), ("p", token)], LONG_S)

    assert asked == [[("p", token)]]


LASTING: Final = [[Claim("l", 1, lasting=True)]]


def _in_flight(shared: SharedStore, store: Leaving) -> tuple[int, int]:
    """What lasting claims count in the store, and in this process alone."""
    found = []
    for store.is_away in (False, True):
        found.append(shared.loads(["l"])[0].held)
    store.is_away = False
    return found[0], found[1]


def test_claims_last_where_they_were_taken_and_nowhere_else(
    shared: SharedStore, store: Leaving
) -> None:
    taken = []
    for store.is_away in (False, True, True, False, False):
        taken.append(shared.take(LASTING))
    assert _in_flight(shared, store) == (3, 2)

    shared.renew({"l": 5}, (), LONG_S)
    assert _in_flight(shared, store) == (3, 2)

    for each in taken[1:]:
        assert isinstance(each, Taken)
        shared.settle(each, (0,))
    shared.renew({"l": 1}, (), LONG_S)
    assert _in_flight(shared, store) == (1, 0)


def test_what_could_not_be_settled_in_the_store_is_free_with_the_next_renewal(
    shared: SharedStore, store: Leaving
) -> None:
    lost, kept = shared.take(LASTING), shared.take(LASTING)
    assert isinstance(lost, Taken)
    assert isinstance(kept, Taken)
    store.is_away = True
    shared.settle(lost, (0,))
    assert _in_flight(shared, store) == (2, 0)

    shared.renew({"l": 1}, (), LONG_S)

    assert _in_flight(shared, store) == (1, 0)


def test_a_store_that_lost_what_it_lent_is_told_again(shared: SharedStore, store: Leaving) -> None:
    store.is_away = True
    for _ in range(2):
        shared.take(LASTING)
    store.is_away = False

    shared.renew({"l": 5}, (), LONG_S)

    assert _in_flight(shared, store) == (3, 2)
