"""What `bound` does in every store."""

import math

import pytest

from relay.state.store import Bound, Claim, Full, Store
from tests.state.given import LONG_S, SHORT_S, Given, Later
from tests.state.window_steps import takes


def bound(store: Store, name: str, left: int, lasts_s: float = LONG_S) -> None:
    """Let so much through, for so long from now."""
    store.bound({name: Bound(left, store.now() + lasts_s)})


class BoundSteps(Given):
    """What an upstream says is left of a window."""

    def test_no_more_is_let_through_than_is_left(self, store: Store) -> None:
        takes(store, Claim("w", 5, 100))
        bound(store, "w", 7)

        found = [takes(store, Claim("w", 2, 100)) is not None for _ in range(5)]

        assert found == [True, True, True, False, False]
        assert takes(store, Claim("w", 1, 100))

    def test_a_bound_holds_where_there_is_no_limit_too(self, store: Store) -> None:
        bound(store, "w", 3)

        assert not takes(store, Claim("w", 4))
        assert takes(store, Claim("w", 3))
        assert not takes(store, Claim("w", 1))

    def test_a_bound_enlarges_no_limit(self, store: Store) -> None:
        takes(store, Claim("w", 4, 5))
        bound(store, "w", 1000)

        assert not takes(store, Claim("w", 2, 5))
        assert takes(store, Claim("w", 1, 5))

    def test_a_claim_of_nothing_has_room_where_nothing_is_left(self, store: Store) -> None:
        bound(store, "w", 0)

        assert takes(store, Claim("w", 0))
        assert not takes(store, Claim("w", 1))

    @pytest.mark.parametrize(("first", "second"), [(1, 5), (5, 1), (0, 5)])
    def test_a_bound_takes_the_place_of_one_that_ends_before(
        self, store: Store, first: int, second: int
    ) -> None:
        bound(store, "w", first)
        takes(store, Claim("w", 1))
        bound(store, "w", second, LONG_S + 1)

        assert takes(store, Claim("w", second))
        assert not takes(store, Claim("w", 1))

    @pytest.mark.parametrize("sooner_s", [0.0, 1.0, 10.0, LONG_S, 2 * LONG_S, math.nan])
    @pytest.mark.parametrize(("left", "then"), [(1, 8), (3, 4), (3, 0)])
    def test_an_older_answer_does_not_widen_a_bound(
        self, store: Store, left: int, then: int, sooner_s: float
    ) -> None:
        end = store.now() + LONG_S
        store.bound({"w": Bound(left + 1, end)})
        takes(store, Claim("w", 1))
        store.bound({"w": Bound(then, end - sooner_s)})

        is_over = not sooner_s < LONG_S - 1
        most = left if is_over else min(left, then)
        assert takes(store, Claim("w", most))
        assert not takes(store, Claim("w", 1))

    def test_an_older_answer_does_not_end_a_bound_sooner(self, store: Store, later: Later) -> None:
        bound(store, "w", 1)
        bound(store, "w", 8, SHORT_S)
        later(2 * SHORT_S)

        assert takes(store, Claim("w", 1))
        assert not takes(store, Claim("w", 1))

    def test_a_bound_that_is_over_stands_in_the_way_of_none(
        self, store: Store, later: Later
    ) -> None:
        bound(store, "w", 1, SHORT_S)
        later(2 * SHORT_S)
        bound(store, "w", 3, LONG_S)

        assert takes(store, Claim("w", 3))
        assert not takes(store, Claim("w", 1))

    def test_a_bound_ends_at_its_moment(self, store: Store, later: Later) -> None:
        bound(store, "w", 0, SHORT_S)
        assert not takes(store, Claim("w", 1))

        later(2 * SHORT_S)

        assert takes(store, Claim("w", 1))

    def test_the_wait_is_until_the_end_of_the_bound(self, store: Store) -> None:
        bound(store, "w", 0, 300)
        bound(store, "v", 0, 10)

        found = store.take([[Claim("w", 1)], [Claim("v", 1), Claim("u", 1)]])

        assert isinstance(found, Full)
        assert 9 < found.wait_s <= 10

    def test_the_wait_is_until_both_limit_and_bound_leave_room(self, store: Store) -> None:
        takes(store, Claim("w", 5, 5))
        bound(store, "w", 0, 10)

        found = store.take([[Claim("w", 1, 5)]])

        assert isinstance(found, Full)
        assert 59 < found.wait_s <= 61

    def test_what_is_larger_than_its_limit_has_room_while_anything_is_left(
        self, store: Store
    ) -> None:
        bound(store, "w", 1)
        bound(store, "none", 0)

        assert not takes(store, Claim("w", 5, 10))  # for that there is not enough
        assert not takes(store, Claim("none", 50, 10))
        assert takes(store, Claim("w", 50, 10))
        assert not takes(store, Claim("w", 50, 10))

    def test_all_windows_of_a_choice_are_bound(self, store: Store) -> None:
        until = store.now() + LONG_S
        store.bound({"a": Bound(5, until), "b": Bound(2, until)})

        assert not takes(store, Claim("a", 3), Claim("b", 3))
        assert takes(store, Claim("a", 5), Claim("b", 2), Claim("c", 9))

    def test_what_was_claimed_before_is_settled_beside_the_bound(self, store: Store) -> None:
        less, more = takes(store, Claim("w", 50)), takes(store, Claim("w", 1))
        assert less
        assert more
        bound(store, "w", 5)

        store.settle(less, [0])
        store.settle(more, [50])

        assert not takes(store, Claim("w", 6))
        assert takes(store, Claim("w", 5))

    def test_no_bounds_are_no_step(self, store: Store) -> None:
        store.bound({})

        assert takes(store, Claim("w", 1, 1))

    @pytest.mark.parametrize("left", [-1, -(10**30)])
    def test_less_than_nothing_is_nothing(self, store: Store, left: int) -> None:
        bound(store, "w", left)

        assert not takes(store, Claim("w", 1, 9))
        assert takes(store, Claim("w", 0, 9))

    @pytest.mark.parametrize("left", [2**53 - 1, 2**53, 10**30])
    def test_any_number_may_be_left(self, store: Store, left: int) -> None:
        bound(store, "w", left)

        assert takes(store, Claim("w", 2**52))
        assert takes(store, Claim("w", 2**52 - 1))
        assert not takes(store, Claim("w", 2))

    @pytest.mark.parametrize("until", [-1e300, -1.0, 0.0, math.nan])
    def test_a_bound_that_is_over_is_none(self, store: Store, until: float) -> None:
        store.bound({"w": Bound(0, until)})

        assert takes(store, Claim("w", 1, 1))
        assert not takes(store, Claim("w", 1, 1))

    @pytest.mark.parametrize("until", [1e11, 1e300, math.inf])
    def test_a_bound_lasts_for_a_week_at_most(self, store: Store, until: float) -> None:
        store.bound({"w": Bound(1, until)})

        assert takes(store, Claim("w", 1))
        found = store.take([[Claim("w", 1)]])
        assert isinstance(found, Full)
        assert found.wait_s == pytest.approx(7 * 86400, abs=5)
