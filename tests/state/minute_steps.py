"""What stores do over minutes and days, for those whose clock can be set."""

import pytest

from relay.state.store import HELD_S, Bound, Claim, Full, Load, Store
from tests.state.bound_steps import bound
from tests.state.given import GivenClock, Later, SetClock
from tests.state.mark_steps import held, lasting
from tests.state.window_steps import all_counted, counted, takes

DAY_S = 86400.0


class MinuteSteps(GivenClock):
    """`later` lets any time pass."""

    @pytest.mark.parametrize("pause_s", [0.0, 0.4, 17.6, 59.9])
    def test_room_comes_after_the_wait_that_was_named_and_not_sooner(
        self, store: Store, later: Later, pause_s: float
    ) -> None:
        takes(store, Claim("w", 3, 5))
        later(pause_s)
        found = store.take([[Claim("w", 3, 5)]])
        assert isinstance(found, Full)

        later(found.wait_s - 1)
        assert not takes(store, Claim("w", 3, 5))

        later(1)
        assert takes(store, Claim("w", 3, 5))

    def test_the_wait_is_that_of_the_first_choice_which_may_have_room(
        self, store: Store, later: Later
    ) -> None:
        for name in "ab":
            takes(store, Claim(name, 1, 1))
            later(20)
        takes(store, Claim("c", 1, 1))
        now, soon, last = (Claim(name, 1, 1) for name in "abc")

        waits = [store.take(choices) for choices in ([[last], [now]], [[now, soon]], [[last]])]

        assert waits == [Full(21.0), Full(41.0), Full(61.0)]

    def test_no_sixty_seconds_hold_more_than_the_limit(self, store: Store, later: Later) -> None:
        admitted = []
        for step in range(800):  # a quarter of a second each
            if takes(store, Claim("w", 1, 7)):
                admitted.append(step / 4)
            later(0.25)

        gaps = [last - first for first, last in zip(admitted, admitted[7:], strict=False)]
        assert len(admitted) == 28
        assert min(gaps) >= 60

    def test_amounts_settle_in_the_second_of_their_claim(self, store: Store, later: Later) -> None:
        taken = takes(store, Claim("a", 5), Claim("b", 5))
        assert taken
        later(60)
        takes(store, Claim("a", 1), Claim("b", 1))

        store.settle(taken, [2, 9])
        assert all_counted(store, "ab") == [3, 10]

        later(1)
        assert all_counted(store, "ab") == [1, 1]

    @pytest.mark.parametrize("amount", [0, 50])
    def test_after_a_minute_settling_makes_no_difference(
        self, store: Store, later: Later, amount: int
    ) -> None:
        taken = takes(store, Claim("w", 5))
        assert taken
        later(61)
        takes(store, Claim("w", 1))

        store.settle(taken, [amount])

        assert counted(store, "w") == 1

    def test_what_is_claimed_after_a_bound_is_settled_with_it(
        self, store: Store, later: Later
    ) -> None:
        bound(store, "w", 10)
        later(1)
        taken = takes(store, Claim("w", 10))
        assert taken
        assert not takes(store, Claim("w", 1))

        store.settle(taken, [4])
        assert takes(store, Claim("w", 6))

        store.settle(taken, [20])
        assert not takes(store, Claim("w", 1))

    @pytest.mark.parametrize(("settled", "left"), [(5, 3), (8, 0), (9, 0), (50, 0)])
    def test_what_was_let_in_whole_is_settled_with_the_bound(
        self, store: Store, later: Later, settled: int, left: int
    ) -> None:
        bound(store, "w", 8, 3600)
        later(1)
        taken = takes(store, Claim("w", 50, 10))
        assert taken

        store.settle(taken, [settled])
        later(61)

        assert not takes(store, Claim("w", left + 1, 10))
        assert takes(store, Claim("w", left, 10))

    def test_a_bound_may_last_for_longer_than_a_minute(self, store: Store, later: Later) -> None:
        bound(store, "w", 1, 3600)
        assert takes(store, Claim("w", 1, 5))

        later(3599.75)
        assert store.take([[Claim("w", 1, 5)]]) == Full(0.25)

        later(0.25)
        assert takes(store, Claim("w", 5, 5))

    def test_room_comes_when_a_bound_or_the_minute_is_over_whichever_is_later(
        self, store: Store, later: Later
    ) -> None:
        takes(store, Claim("w", 5, 5), Claim("v", 5, 5))
        later(21)
        store.bound({name: Bound(0, store.now() + ends) for name, ends in (("w", 30), ("v", 50))})

        waits = [store.take([[Claim(name, 1, 5)]]) for name in "wv"]

        assert waits == [Full(40.0), Full(50.0)]

    def test_what_is_larger_than_its_limit_waits_for_its_window_to_be_empty(
        self, store: Store, later: Later
    ) -> None:
        takes(store, Claim("w", 1, 5))
        bound(store, "w", 1, 3600)

        found = store.take([[Claim("w", 9, 5)]])
        assert found == Full(61.0)

        later(61)
        assert takes(store, Claim("w", 9, 5))

    def test_a_lasting_claim_lasts_for_its_time_and_no_longer(
        self, store: Store, later: Later
    ) -> None:
        takes(store, lasting("l", 1, 1))

        later(HELD_S - 0.25)
        assert not takes(store, lasting("l", 1, 1))

        later(0.25)
        assert takes(store, lasting("l", 1, 1))

    def test_a_lasting_claim_lasts_as_long_as_it_is_renewed(
        self, store: Store, later: Later
    ) -> None:
        taken = takes(store, lasting("l", 1, 1))
        assert taken
        for _ in range(200):
            later(HELD_S - 1)
            store.renew({"l": 1}, (), HELD_S)

        assert not takes(store, lasting("l", 1, 1))
        store.settle(taken, [0])
        assert takes(store, lasting("l", 1, 1))

    def test_a_process_that_takes_one_more_keeps_all_it_has(
        self, store: Store, later: Later
    ) -> None:
        takes(store, lasting("l", 2))
        later(HELD_S - 1)
        takes(store, lasting("l", 1))
        later(HELD_S - 1)

        assert held(store, "l") == [3]

    def test_when_the_last_was_taken_is_known_for_days(self, store: Store, later: Later) -> None:
        takes(store, lasting("l", 1))
        at = store.now()

        later(6 * DAY_S)

        assert store.loads(["l"]) == [Load(0, at)]

    def test_a_place_and_a_fact_last_as_long_as_was_said(self, store: Store, later: Later) -> None:
        store.hold("p", 1, 8 * DAY_S)
        store.remember({"f": b"1"}, 8 * DAY_S)

        later(8 * DAY_S - 1)
        assert (store.hold("p", 1, 1), store.recall(["f"])) == (None, [b"1"])

        later(1)
        assert store.recall(["f"]) == [None]
        assert store.hold("p", 1, 1)

    def test_a_place_is_free_from_the_moment_of_its_end(self, store: Store, later: Later) -> None:
        store.hold("p", 2, 20)
        store.hold("p", 2, 10)

        later(9.75)
        assert store.hold("p", 2, 1) is None

        later(0.25)
        assert store.hold("p", 2, 1)

    def test_counters_and_records_outlast_days_of_silence(self, store: Store, later: Later) -> None:
        store.count("c", 3)
        store.swap("s", None, b"1")

        later(6 * DAY_S)

        assert store.count("c") == 3
        assert store.swap("s", None, None) == b"1"

    def test_a_token_is_not_given_again_while_its_place_lasts(
        self, store: Store, later: Later
    ) -> None:
        first = store.hold("p", 2, 9 * DAY_S)

        later(8 * DAY_S)

        assert store.hold("p", 2, 1) not in (None, first)

    def test_time_goes_on_from_where_it_was_when_the_clock_steps_back(
        self, store: Store, clock: SetClock
    ) -> None:
        takes(store, Claim("w", 1, 1))
        store.hold("p", 1, 30)
        before = store.now()

        clock.set_back(3600)
        assert store.now() == before
        assert not takes(store, Claim("w", 1, 1))
        assert store.hold("p", 1, 30) is None

        clock.later(61)
        assert store.now() == pytest.approx(before + 61)
        assert takes(store, Claim("w", 1, 1))
        assert store.hold("p", 1, 30)
