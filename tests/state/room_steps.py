"""What `take(by_room=True)` does in every store."""

from collections.abc import Sequence

import pytest

from relay.state.store import Bound, Claim, Full, Store, Taken
from tests.state.given import LONG_S, Given
from tests.state.mark_steps import lasting
from tests.state.window_steps import all_counted, takes


def chosen(store: Store, choices: Sequence[Sequence[Claim]]) -> int | None:
    """Which one was taken."""
    taken = store.take(choices, by_room=True)
    return taken.choice if isinstance(taken, Taken) else None


class RoomSteps(Given):
    """Of all choices with room the one with most."""

    def test_the_greatest_free_share_is_taken(self, store: Store) -> None:
        for name, before in (("a", 5), ("b", 2), ("c", 8)):
            takes(store, Claim(name, before))
        choices = [[Claim("a", 1, 10)], [Claim("b", 1, 10)], [Claim("c", 1, 10)]]

        found = [chosen(store, choices) for _ in range(6)]

        assert found == [1, 1, 1, 0, 1, 0]
        assert all_counted(store, "abc") == [7, 6, 8]

    def test_a_share_is_a_part_of_its_own_limit(self, store: Store) -> None:
        takes(store, Claim("large", 500))
        takes(store, Claim("small", 1))

        assert chosen(store, [[Claim("large", 1, 1000)], [Claim("small", 1, 3)]]) == 1

    def test_the_smallest_share_of_a_choice_is_its_share(self, store: Store) -> None:
        takes(store, Claim("a", 5), Claim("b", 5), Claim("c", 9))

        found = chosen(store, [[Claim("a", 1, 10), Claim("c", 1, 10)], [Claim("b", 1, 10)]])

        assert found == 1

    def test_what_a_bound_leaves_is_room_too(self, store: Store) -> None:
        takes(store, Claim("b", 5))
        store.bound({"a": Bound(3, store.now() + LONG_S), "b": Bound(90, store.now() + LONG_S)})

        assert chosen(store, [[Claim("a", 1, 10)], [Claim("b", 1, 10)]]) == 1

    @pytest.mark.parametrize("free", [[], [Claim("free", 1)], [lasting("free", 1, 9)]])
    def test_a_choice_without_limits_of_windows_is_all_room(
        self, store: Store, free: list[Claim]
    ) -> None:
        takes(store, Claim("a", 1))

        assert chosen(store, [[Claim("a", 1, 1000)], free]) == 1

    def test_a_choice_without_room_is_left_out(self, store: Store) -> None:
        takes(store, lasting("busy", 1))
        takes(store, Claim("b", 9))

        choices = [[Claim("a", 1, 10), lasting("busy", 1, 1)], [Claim("b", 1, 10)]]
        assert chosen(store, choices) == 1

        found = store.take(choices, by_room=True)
        assert found == Full(1.0)
        assert store.take([], by_room=True) == Full(60.0)

    def test_ties_go_to_the_least_counted_by_lasting_claims(self, store: Store) -> None:
        for name, before in (("a", 2), ("b", 1), ("c", 1)):
            takes(store, lasting(name, before))
        choices = [[Claim(f"{name}-minute", 1, 10), lasting(name)] for name in "abc"]
        takes(store, Claim("b-minute", 1))

        assert chosen(store, choices) == 2

    def test_then_ties_go_to_the_least_counted_by_the_first_claim(self, store: Store) -> None:
        for name, before in (("a", 3), ("b", 2), ("c", 2)):
            takes(store, Claim(name, before))

        found = [chosen(store, [[Claim(name, 1)] for name in "abc"]) for _ in range(3)]

        assert found == [1, 2, 0]

    def test_then_ties_go_to_the_first(self, store: Store) -> None:
        assert chosen(store, [[Claim("a", 1, 10)], [Claim("b", 1, 20)]]) == 0

    def test_only_the_choice_that_was_taken_is_counted(self, store: Store) -> None:
        takes(store, Claim("a", 1))

        taken = store.take([[Claim("a", 2, 10)], [Claim("b", 2, 10)]], by_room=True)

        assert isinstance(taken, Taken)
        assert taken.claims == (Claim("b", 2, 10),)
        assert all_counted(store, "ab") == [1, 2]
