"""What `hold` and `let_go` do in every store."""

import pytest

from relay.state.store import Store
from tests.state.given import LONG_S, SHORT_S, Given, Later


class PlaceSteps(Given):
    """Places with a limit, each for a time."""

    def test_there_are_as_many_places_as_the_limit_says(self, store: Store) -> None:
        found = [store.hold("p", 3, LONG_S) for _ in range(5)]

        assert [token is not None for token in found] == [True, True, True, False, False]
        assert len(set(found[:3])) == 3

    @pytest.mark.parametrize("limit", [0, -1])
    def test_without_places_nobody_gets_one(self, store: Store, limit: int) -> None:
        assert store.hold("p", limit, LONG_S) is None

    def test_it_is_known_how_many_places_are_taken(self, store: Store, later: Later) -> None:
        assert store.held("p") == 0
        tokens = [store.hold("p", 3, LONG_S), store.hold("p", 3, SHORT_S), store.hold("p", 3, 1)]
        assert (store.held("p"), store.held("q")) == (3, 0)

        store.let_go("p", tokens[0] or "")
        assert store.held("p") == 2

        later(2 * SHORT_S)
        assert store.held("p") == 1

    def test_a_place_that_is_let_go_is_free_for_one(self, store: Store) -> None:
        first, second = store.hold("p", 2, LONG_S), store.hold("p", 2, LONG_S)
        assert first
        assert second

        for _ in range(2):  # the second time it is no longer theirs
            store.let_go("p", first)

        assert store.hold("p", 2, LONG_S)
        assert store.hold("p", 2, LONG_S) is None

    def test_each_place_is_freed_when_its_own_time_is_over(
        self, store: Store, later: Later
    ) -> None:
        for ttl_s in (SHORT_S, LONG_S, SHORT_S):
            assert store.hold("p", 3, ttl_s)

        later(2 * SHORT_S)

        assert [store.hold("p", 3, LONG_S) is not None for _ in range(3)] == [True, True, False]

    def test_a_token_that_has_run_out_changes_nothing(self, store: Store, later: Later) -> None:
        old = store.hold("p", 1, SHORT_S)
        assert old
        later(2 * SHORT_S)
        assert store.hold("p", 1, LONG_S)

        store.let_go("p", old)

        assert store.hold("p", 1, LONG_S) is None

    def test_a_token_of_another_name_or_of_nobody_changes_nothing(self, store: Store) -> None:
        mine, other = store.hold("p", 1, LONG_S), store.hold("q", 2, LONG_S)
        further = store.hold("q", 2, LONG_S)
        assert mine
        assert other
        assert further

        for token in {other, further, "", "0", "-1", f"{mine}.0", f"0{mine}", "é\0"} - {mine}:
            store.let_go("p", token)
            store.let_go("nobody's", token)

        assert store.hold("p", 1, LONG_S) is None

    def test_a_lowered_limit_waits_until_enough_are_let_go(self, store: Store) -> None:
        tokens = [store.hold("p", 3, LONG_S) or "" for _ in range(3)]

        found = []
        for token in tokens:
            found.append(store.hold("p", 2, LONG_S))
            store.let_go("p", token)

        assert [token is not None for token in found] == [False, False, True]
        assert store.hold("p", 2, LONG_S)
        assert store.hold("p", 2, LONG_S) is None

    def test_no_token_is_given_twice(self, store: Store, later: Later) -> None:
        tokens = [store.hold("p", 1, SHORT_S)]
        later(2 * SHORT_S)
        for _ in range(30):
            tokens.append(store.hold("p", 1, LONG_S))
            store.let_go("p", tokens[-1] or "")

        assert None not in tokens
        assert len(set(tokens)) == 31
