"""What lasting claims do in every store: `take`, `settle`, `renew` and `loads`."""

import pytest

from relay.state.holder import Holder
from relay.state.redis import RedisStore
from relay.state.steps import Steps
from relay.state.store import Claim, Full, Load, Store, Taken
from tests.state.given import LONG_S, SHORT_S, Given, Later
from tests.state.window_steps import counted, takes


def lasting(name: str, amount: int = 1, limit: int = 0) -> Claim:
    """A lasting claim."""
    return Claim(name, amount, limit, lasting=True)


def held(store: Store, *names: str) -> list[int]:
    """How much lasting claims by these names count."""
    return [load.held for load in store.loads(names)]


def be_another_process(store: Store) -> None:
    """Take lasting claims as somebody else from now on; processes show it in `crowd`."""
    assert isinstance(store, Steps | RedisStore)
    store.holder = Holder()


class MarkSteps(Given):
    """A mark is what all lasting claims of one process by one name amount to."""

    def test_a_lasting_claim_counts_until_it_is_settled(self, store: Store) -> None:
        first, second = takes(store, lasting("l", 1, 2)), takes(store, lasting("l", 1, 2))
        assert first
        assert second
        assert not takes(store, lasting("l", 1, 2))

        store.settle(first, [0])

        assert held(store, "l") == [1]
        assert takes(store, lasting("l", 1, 2))
        assert not takes(store, lasting("l", 1, 2))

    def test_amounts_are_added_up(self, store: Store) -> None:
        taken = takes(store, lasting("l", 3, 5))
        assert taken
        assert not takes(store, lasting("l", 3, 5))
        assert takes(store, lasting("l", 2, 5))

        store.settle(taken, [0])

        assert held(store, "l") == [2]

    def test_without_a_limit_a_lasting_claim_is_counted_only(self, store: Store) -> None:
        found = [takes(store, lasting("l", 4)) for _ in range(3)]

        assert None not in found
        assert held(store, "l") == [12]

    def test_a_lasting_claim_that_is_larger_than_its_limit_has_no_room(self, store: Store) -> None:
        assert not takes(store, lasting("l", 2, 1))

    def test_whoever_finds_no_room_asks_again_after_a_second(self, store: Store) -> None:
        takes(store, lasting("l", 1, 1))

        assert store.take([[lasting("l", 1, 1)]]) == Full(1.0)

    def test_windows_and_lasting_claims_are_counted_whole_or_not_at_all(self, store: Store) -> None:
        takes(store, lasting("full", 1, 1))
        takes(store, Claim("w", 1, 1))

        assert not takes(store, Claim("v", 1, 9), lasting("full", 1, 1))
        assert not takes(store, lasting("l", 1, 9), Claim("w", 1, 1))

        assert (counted(store, "v"), held(store, "l", "full")) == (0, [0, 1])

    def test_windows_and_lasting_claims_are_settled_each_in_its_way(self, store: Store) -> None:
        taken = takes(store, Claim("w", 5), lasting("l"), Claim("v", 5))
        assert taken

        store.settle(taken, [2, 0, 9])

        assert (counted(store, "w"), held(store, "l"), counted(store, "v")) == (2, [0], 9)

    def test_the_next_choice_is_taken_when_the_first_has_too_many_at_once(
        self, store: Store
    ) -> None:
        choices = [[lasting(name, 1, 1), Claim(f"{name}-minute", 1)] for name in "ab"]

        found = [store.take(choices) for _ in range(3)]

        assert [each.choice for each in found if isinstance(each, Taken)] == [0, 1]
        assert found[2] == Full(1.0)

    def test_loads_say_how_much_is_held_and_when_the_last_was_taken(self, store: Store) -> None:
        before = store.now()
        taken = takes(store, lasting("a", 2))
        assert taken
        takes(store, lasting("b", 1))

        a, missing, b, again = store.loads(["a", "missing", "b", "a"])

        assert (a.held, b.held, missing, again) == (2, 1, Load(0, 0.0), a)
        assert before <= a.taken_at <= b.taken_at <= store.now()
        store.settle(taken, [0])
        assert store.loads(["a"]) == [Load(0, a.taken_at)]

    def test_no_names_have_no_loads(self, store: Store) -> None:
        assert store.loads([]) == []

    def test_what_is_renewed_lasts_as_long_as_was_said(self, store: Store, later: Later) -> None:
        for name in ("short", "longer", "never"):
            takes(store, lasting(name, 2, 2))
        store.renew({"short": 2, "longer": 2}, (), SHORT_S)
        store.renew({"longer": 2}, (), LONG_S)

        later(2 * SHORT_S)

        assert held(store, "short", "longer", "never") == [0, 2, 2]
        assert takes(store, lasting("short", 2, 2))

    @pytest.mark.parametrize("amount", [0, 1, 2, 5])
    def test_what_is_renewed_amounts_to_what_was_said(self, store: Store, amount: int) -> None:
        takes(store, lasting("l", 2))
        at = store.loads(["l"])[0].taken_at

        store.renew({"l": amount, "m": amount}, (), LONG_S)

        assert store.loads(["l"]) == [Load(amount, at)]
        assert held(store, "m") == [amount]
        assert takes(store, lasting("l", 1, amount + 1))
        assert not takes(store, lasting("l", 1, amount + 1))

    def test_less_than_nothing_is_nothing_held(self, store: Store) -> None:
        takes(store, lasting("l", 2))

        store.renew({"l": -3, "m": -3}, (), LONG_S)
        takes(store, lasting("l", 1))

        assert held(store, "l", "m") == [1, 0]

    def test_claims_that_had_run_out_are_held_again_and_settled(
        self, store: Store, later: Later
    ) -> None:
        taken = takes(store, lasting("l", 2))
        assert taken
        store.renew({"l": 2}, (), SHORT_S)
        later(2 * SHORT_S)
        assert held(store, "l") == [0]

        store.renew({"l": 3}, (), LONG_S)
        assert held(store, "l") == [3]
        store.settle(taken, [0])

        assert held(store, "l") == [1]

    def test_a_place_that_has_run_out_is_not_renewed(self, store: Store, later: Later) -> None:
        token = store.hold("p", 1, SHORT_S)
        assert token
        later(2 * SHORT_S)

        store.renew({}, [("p", token), ("missing", token)], LONG_S)

        assert store.hold("p", 1, LONG_S)
        assert store.hold("missing", 1, LONG_S)

    def test_what_has_run_out_is_not_settled(self, store: Store, later: Later) -> None:
        old = takes(store, lasting("l", 3))
        assert old
        store.renew({"l": 3}, (), SHORT_S)
        later(2 * SHORT_S)

        store.settle(old, [0])

        assert held(store, "l") == [0]

    def test_each_process_renews_and_settles_its_own(self, store: Store, later: Later) -> None:
        taken = takes(store, lasting("l", 1, 3))
        assert taken
        store.renew({"l": 1}, (), SHORT_S)

        be_another_process(store)
        assert takes(store, lasting("l", 2, 3))
        assert not takes(store, lasting("l", 1, 3))
        store.renew({"l": 2}, (), LONG_S)
        assert held(store, "l") == [3]
        later(2 * SHORT_S)
        assert held(store, "l") == [2]

        be_another_process(store)
        store.settle(taken, [0])
        assert held(store, "l") == [2]

    def test_a_place_that_is_renewed_lasts_and_others_do_not(
        self, store: Store, later: Later
    ) -> None:
        tokens = [store.hold("p", 3, SHORT_S) or "" for _ in range(3)]
        store.hold("q", 1, SHORT_S)

        store.renew({}, [("p", tokens[1]), ("q", tokens[1])], LONG_S)
        later(2 * SHORT_S)

        assert [store.hold("p", 3, LONG_S) is not None for _ in range(3)] == [True, True, False]
        assert store.hold("q", 1, LONG_S)
        store.let_go("p", tokens[1])
        assert store.hold("p", 3, LONG_S)

    def test_several_places_of_one_name_are_renewed_at_once(
        self, store: Store, later: Later
    ) -> None:
        tokens = [store.hold("p", 3, SHORT_S) or "" for _ in range(3)]
        takes(store, lasting("l"))

        store.renew({"l": 1, "m": 2}, [("p", tokens[0]), ("p", tokens[2])], LONG_S)
        later(2 * SHORT_S)

        assert [store.hold("p", 3, LONG_S) is not None for _ in range(2)] == [True, False]
        assert held(store, "l", "m") == [1, 2]

    def test_a_place_may_be_renewed_for_less(self, store: Store, later: Later) -> None:
        token = store.hold("p", 1, LONG_S)
        assert token

        store.renew({}, [("p", token)], SHORT_S)
        later(2 * SHORT_S)

        assert store.hold("p", 1, LONG_S)

    def test_nothing_is_renewed_without_a_name(self, store: Store) -> None:
        takes(store, lasting("l"))

        store.renew({}, (), 0.0)

        assert held(store, "l") == [1]

    @pytest.mark.parametrize("amount", [0, 10**15])
    def test_any_amount_is_counted_exactly(self, store: Store, amount: int) -> None:
        takes(store, lasting("l", amount))
        takes(store, lasting("l", 1))

        assert held(store, "l") == [amount + 1]
