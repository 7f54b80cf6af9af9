"""Which of the usable keys an attempt gets (behaviour 9.2)."""

from collections import Counter

import pytest

from relay.keys.lease import Lease
from relay.limits.kinds import Amounts, Kind, Limits
from relay.limits.learned import Learned, Left
from relay.state.lmdb import LmdbStore
from tests.keys.given import Keys, MakeKeys, Strategy, a_key
from tests.state.given import SetClock

MINUTE_S = 61.0


def learns(keys: Keys, position: int, limits: Limits, **left: Left) -> None:
    kinds = {Kind[name.upper()]: each for name, each in left.items()}
    keys.pool.learn(position, Learned(limits, kinds), keys.standing, 3600)


# least_loaded


def test_the_key_with_the_greatest_free_share_comes_first(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=2), a_key("k1", rpm_limit=4))

    # Free shares before each: 2/2 4/4, 1/2 4/4, 1/2 3/4, 1/2 2/4 (fewer requests), 0 2/4, 0 1/4.
    assert keys.uses(6) == [0, 1, 1, 0, 1, 1]


def test_the_share_is_the_smallest_over_all_limits_of_a_key(keys_of: MakeKeys) -> None:
    keys = keys_of(
        a_key("k0", rpm_limit=100, itpm_limit=1000),
        a_key("k1", rpm_limit=10, otpm_limit=1000),
        a_key("k2", tpm_limit=1000),
    )
    used = Amounts.of(300, 100)

    # Shares after one request each: 0.7 (input), 0.9 (requests, output), 0.6 (total).
    assert [keys.use(amounts=used) for _ in range(3)] == [0, 1, 2]
    assert [keys.use(amounts=used) for _ in range(2)] == [1, 1]
    assert keys.use(amounts=used) == 0  # for that of k1 was 0.8, and is 0.7: the same as this one's


def test_a_key_without_limits_counts_as_empty(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1000), "k1")

    assert keys.uses(4) == [0, 1, 1, 1]


def test_a_learned_limit_makes_a_key_s_share_smaller(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1000), a_key("k1", rpm_limit=1000))
    assert keys.use() == 0

    learns(keys, 1, Limits(requests=2))

    assert keys.use() == 1
    assert keys.uses(4) == [0, 0, 0, 0]


def test_what_is_said_to_remain_makes_a_key_s_share_smaller(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    learns(keys, 0, Limits(requests=100), requests=Left(10, 30))
    learns(keys, 1, Limits(requests=100), requests=Left(50, 30))

    assert set(keys.uses(8)) == {1}


def test_what_remains_of_an_unknown_limit_leaves_the_key_s_share_alone(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of("k0", a_key("k1", rpm_limit=1000))
    learns(keys, 0, Limits(), requests=Left(2, 30))
    learns(keys, 1, Limits(requests=1000))
    keys.use(0)

    assert keys.uses(3) == [0, 0, 1]  # a limit nobody knows counts as 1, but 2 were all there was
    clock.later(31)
    assert keys.use() == 0


def test_of_equal_shares_the_key_with_fewest_in_flight_comes_first(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", "k2")
    busy = [keys.claim(), keys.claim(), keys.claim()]
    assert [lease.position for lease in busy] == [0, 1, 2]

    busy[1].settle()

    assert keys.claim().position == 1
    busy[2].settle()
    assert keys.claim().position == 2


def test_of_equal_loads_the_key_with_fewest_requests_in_the_last_minute_comes_first(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of("k0", "k1")
    assert keys.use(1) == 0
    assert keys.use(1) == 0
    assert keys.use(0) == 1

    assert keys.use() == 1
    clock.later(MINUTE_S)
    assert keys.use() == 0


# round_robin


def test_keys_take_turns(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", "k2", strategy="round_robin")

    assert keys.uses(7) == [0, 1, 2, 0, 1, 2, 0]


def test_the_turn_of_a_resting_key_goes_to_the_next(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", "k2", strategy="round_robin")
    keys.pool.rest(1, 60)

    assert keys.uses(6) == [0, 2, 2, 0, 2, 2]


def test_the_turn_of_a_full_key_goes_to_the_next(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", a_key("k1", rpm_limit=1), "k2", strategy="round_robin")

    assert keys.uses(6) == [0, 1, 2, 0, 2, 2]


def test_keys_of_a_lower_priority_take_their_turns_while_higher_ones_are_full(
    keys_of: MakeKeys,
) -> None:
    keys = keys_of(a_key("high", priority=2, rpm_limit=1), "k1", "k2", strategy="round_robin")

    assert keys.uses(5) == [0, 1, 2, 1, 2]


def test_keys_take_turns_over_two_workers_and_a_reload(
    workers: tuple[LmdbStore, LmdbStore],
) -> None:
    one, other = (Keys(store, "k0", "k1", "k2", strategy="round_robin") for store in workers)

    used = [one.use(), other.use(), other.use(), one.use()]
    again = Keys(workers[0], "k0", "k1", "k2", strategy="round_robin")

    assert [*used, again.use()] == [0, 1, 2, 0, 1]


# random and weighted


def test_random_uses_every_usable_key_alike(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", "k2", "k3", strategy="random")
    keys.pool.rest(3, 60)

    used = Counter(keys.uses(900))

    assert set(used) == {0, 1, 2}
    assert all(220 < times < 380 for times in used.values())  # over 5 standard deviations


def test_weighted_uses_keys_by_their_weight(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", weight=3), "k1", strategy="weighted")

    used = Counter(keys.uses(1000))

    assert 680 < used[0] < 820  # 5 standard deviations


def test_a_weight_of_0_counts_as_1(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", weight=0), "k1", strategy="weighted")

    used = Counter(keys.uses(1000))

    assert 420 < used[0] < 580


# What holds for all of them


STRATEGIES: tuple[Strategy, ...] = ("least_loaded", "round_robin", "random", "weighted")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_full_key_is_passed_over_and_all_of_them_wait(
    keys_of: MakeKeys, strategy: Strategy
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=2), a_key("k1", rpm_limit=3), strategy=strategy)

    assert Counter(keys.uses(5)) == {0: 2, 1: 3}
    assert 0 < keys.wait_s() <= MINUTE_S


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_keys_of_a_lower_priority_come_when_the_higher_ones_are_gone(
    keys_of: MakeKeys, strategy: Strategy
) -> None:
    high = a_key("high", priority=2), a_key("also high", priority=2)
    keys = keys_of("low", *high, a_key("lowest", priority=-1), strategy=strategy)

    assert set(keys.uses(8)) <= {1, 2}
    assert keys.use(1, 2) == 0
    keys.pool.rest(1, 60)
    keys.pool.set_aside(2, 60)
    assert set(keys.uses(4)) == {0}
    assert keys.use(0) == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_preferred_key_comes_before_all_others_while_it_is_usable(
    keys_of: MakeKeys, strategy: Strategy
) -> None:
    keys = keys_of(a_key("k0", priority=2), a_key("k1", rpm_limit=3), "k2", strategy=strategy)
    preferred = keys.digest("k1")

    assert [keys.use(preferred=preferred) for _ in range(3)] == [1, 1, 1]
    assert keys.use(preferred=preferred) == 0  # the other is full
    assert keys.use(1, preferred=keys.digest("k2")) == 2
    keys.pool.rest(2, 60)
    assert keys.use(preferred=keys.digest("k2")) == 0


def test_a_preferred_key_that_is_no_key_of_the_pool_s_changes_nothing(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1), strategy="round_robin")
    keys.pool.learn(0, Learned(Limits(), {Kind.REQUESTS: Left(0, 300)}), keys.standing, 3600)

    assert keys.wait_s(preferred=keys.digest("another")) == pytest.approx(300)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_key_that_is_set_aside_comes_after_full_ones_as_a_last_resort(
    keys_of: MakeKeys, strategy: Strategy
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1), a_key("k1", priority=2), strategy=strategy)
    keys.pool.set_aside(1, 1800)

    assert [keys.use(last_resort=True) for _ in range(3)] == [0, 1, 1]
    assert not isinstance(keys.ask(), Lease)
