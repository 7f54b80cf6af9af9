"""What `take` and `settle` do in every store."""

from collections.abc import Sequence
from itertools import count

import pytest

from relay.state.store import Claim, Full, Store, Taken
from tests.state.given import Given


def takes(store: Store, *claims: Claim) -> Taken | None:
    """One choice: what was taken, None when it is full."""
    taken = store.take([claims])
    return taken if isinstance(taken, Taken) else None


def counted(store: Store, name: str) -> int:
    """What a window holds: the smallest limit under which nothing more has room."""
    if taken := takes(store, Claim(name, 2, 1)):  # only an empty one lets that through
        store.settle(taken, [0])
        return 0
    return next(limit for limit in count(1) if takes(store, Claim(name, 0, limit)))


def all_counted(store: Store, names: str) -> list[int]:
    return [counted(store, name) for name in names]


class WindowSteps(Given):
    """Nothing here waits for a minute to pass; `minutes` does, where the clock can be set."""

    def test_a_window_lets_its_limit_through_and_no_more(self, store: Store) -> None:
        found = [takes(store, Claim("w", 2, 7)) is not None for _ in range(5)]

        assert found == [True, True, True, False, False]
        assert counted(store, "w") == 6

    def test_what_is_taken_says_where_and_when(self, store: Store) -> None:
        choice = [Claim("a", 1, 3), Claim("b", 2)]
        before = int(store.now())

        taken = store.take([choice])

        assert isinstance(taken, Taken)
        assert (taken.choice, taken.claims) == (0, tuple(choice))
        assert before <= taken.second <= store.now()

    def test_the_first_choice_with_room_is_taken(self, store: Store) -> None:
        choices = [[Claim(name, 1, 1)] for name in "abc"]

        found = [store.take(choices) for _ in range(4)]

        assert [each.choice for each in found if isinstance(each, Taken)] == [0, 1, 2]
        assert isinstance(found[3], Full)

    def test_one_choice_is_counted_and_the_others_are_not(self, store: Store) -> None:
        takes(store, Claim("a", 5, 5))

        store.take([[Claim(name, 3, 5)] for name in "abc"])

        assert all_counted(store, "abc") == [5, 3, 0]

    @pytest.mark.parametrize("full", "abc")
    def test_a_choice_counts_whole_or_not_at_all(self, store: Store, full: str) -> None:
        takes(store, Claim(full, 3, 3))

        found = takes(store, *(Claim(name, 1, 3) for name in "abc"))

        assert found is None
        assert all_counted(store, "abc") == [3 if name == full else 0 for name in "abc"]

    def test_a_full_window_has_room_when_its_minute_is_over(self, store: Store) -> None:
        takes(store, Claim("w", 1, 1))

        found = store.take([[Claim("w", 1, 1)]])

        assert isinstance(found, Full)
        assert 59 < found.wait_s <= 61

    def test_what_is_larger_than_its_limit_has_room_in_an_empty_window(self, store: Store) -> None:
        assert takes(store, Claim("w", 50, 10))

        assert not takes(store, Claim("w", 50, 10))
        assert not takes(store, Claim("w", 1, 10))
        assert counted(store, "w") == 50

    def test_what_is_larger_than_its_limit_has_no_room_beside_anything(self, store: Store) -> None:
        takes(store, Claim("w", 1, 10))

        assert not takes(store, Claim("w", 11, 10))
        assert counted(store, "w") == 1

    def test_without_a_limit_a_claim_is_counted_only(self, store: Store) -> None:
        found = [takes(store, Claim("w", 9)) for _ in range(3)]

        assert None not in found
        assert counted(store, "w") == 27
        assert not takes(store, Claim("w", 1, 27))

    def test_the_limit_is_that_of_the_claim(self, store: Store) -> None:
        takes(store, Claim("w", 5, 10))

        assert not takes(store, Claim("w", 1, 5))
        assert takes(store, Claim("w", 1, 6))

    def test_large_amounts_are_counted_exactly(self, store: Store) -> None:
        most = 10**15
        takes(store, Claim("w", most - 1, most))

        assert not takes(store, Claim("w", 2, most))
        assert takes(store, Claim("w", 1, most))

    def test_a_choice_without_claims_is_taken(self, store: Store) -> None:
        found = store.take([[]])

        assert isinstance(found, Taken)
        assert (found.choice, found.claims) == (0, ())

    def test_without_a_choice_there_is_no_room(self, store: Store) -> None:
        assert store.take([]) == Full(60.0)

    @pytest.mark.parametrize("amounts", [(5, 2), (2, 5), (9, 9), (0, 0), (4, 4)])
    def test_settling_puts_amounts_in_the_place_of_claims(
        self, store: Store, amounts: Sequence[int]
    ) -> None:
        takes(store, Claim("a", 1), Claim("b", 1))
        taken = takes(store, Claim("a", 4, 9), Claim("b", 4, 9))
        assert taken

        store.settle(taken, amounts)

        assert all_counted(store, "ab") == [1 + amount for amount in amounts]

    @pytest.mark.parametrize("amount", [4, 9])
    def test_settling_shows_records_too(self, store: Store, amount: int) -> None:
        store.swap("r", None, b"1")
        taken = takes(store, Claim("w", 4, 9))
        assert taken

        assert store.settle(taken, [amount], ("missing", "r")) == [None, b"1"]
        assert store.settle(taken, [amount]) == []

    def test_settling_below_gives_room_and_above_takes_it(self, store: Store) -> None:
        low, high = takes(store, Claim("w", 5, 10)), takes(store, Claim("w", 5, 10))
        assert low
        assert high

        store.settle(low, [1])
        assert takes(store, Claim("w", 4, 10))

        store.settle(high, [20])
        assert not takes(store, Claim("w", 0, 24))
        assert takes(store, Claim("w", 0, 25))

    def test_settling_twice_counts_the_difference_twice_but_never_below_nothing(
        self, store: Store
    ) -> None:
        less, more = takes(store, Claim("a", 5)), takes(store, Claim("b", 5))
        assert less
        assert more

        for _ in range(2):
            store.settle(less, [1])
            store.settle(more, [7])

        assert all_counted(store, "ab") == [0, 9]

    @pytest.mark.parametrize("amounts", [[], [1], [1, 1, 1]])
    def test_settling_fewer_or_more_amounts_than_claims_changes_nothing(
        self, store: Store, amounts: Sequence[int]
    ) -> None:
        taken = takes(store, Claim("a", 4), Claim("b", 4))
        assert taken

        with pytest.raises(ValueError, match="zip"):
            store.settle(taken, amounts)

        assert all_counted(store, "ab") == [4, 4]
