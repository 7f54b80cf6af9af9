"""Which keys there are, and how they leave and come back (behaviour 9.1, 9.5, 9.6)."""

import math

import pytest

from relay.limits.kinds import A_REQUEST
from relay.state.memory import MemoryStore
from tests.keys.given import CountingStore, Keys, MakeKeys, a_key
from tests.state.given import SetClock


def test_a_lease_names_its_key_by_provider_and_position(keys_of: MakeKeys) -> None:
    lease = keys_of("k0", name="acme").claim()

    assert (lease.id, lease.position, lease.key.key.reveal()) == ("acme/0", 0, "k0")
    assert "k0" not in repr(lease)


def test_a_key_is_given_back_once_however_often_it_is_settled(
    keys_of: MakeKeys, store: MemoryStore
) -> None:
    keys = keys_of("k0", "k1")
    first, second = keys.claim(1), keys.claim(1)

    first.settle()
    first.settle()

    assert store.loads([first.member.in_flight])[0].held == 1
    second.settle()
    assert store.loads([first.member.in_flight])[0].held == 0


def test_a_lease_tells_its_lasting_claim_until_it_is_settled(keys_of: MakeKeys) -> None:
    lease = keys_of("k0", "k1").claim()
    assert lease.in_flight == lease.member.in_flight

    lease.settle()

    assert lease.in_flight == ""


def test_a_key_whose_turn_does_not_depend_on_its_load_has_no_lasting_claim(
    keys_of: MakeKeys,
) -> None:
    assert keys_of("k0", "k1", strategy="round_robin").claim().in_flight == ""
    assert keys_of(a_key("k0", rpm_limit=5)).claim().in_flight == ""


def test_a_resting_key_is_passed_over_until_its_time(keys_of: MakeKeys, clock: SetClock) -> None:
    keys = keys_of("k0", "k1")

    keys.pool.rest(0, 2)

    assert set(keys.uses(4)) == {1}
    assert (keys.pool.total, keys.available) == (2, 1)
    clock.later(2)
    assert set(keys.uses(4)) == {0}  # with the fewest requests in the last minute


def test_a_longer_rest_is_not_shortened(keys_of: MakeKeys, clock: SetClock) -> None:
    keys = keys_of("k0")
    keys.pool.rest(0, 10)

    keys.pool.rest(0, 1)

    clock.later(9)
    assert keys.wait_s() == pytest.approx(1)


def test_all_keys_resting_says_when_the_first_comes_back(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    keys.pool.rest(0, 40)
    keys.pool.rest(1, 5)

    assert keys.wait_s() == pytest.approx(5)
    assert keys.pool.wait_s(keys.standing) == pytest.approx(5)


def test_a_pool_of_which_one_key_is_well_does_not_wait(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    keys.pool.rest(0, 40)

    assert keys.pool.wait_s(keys.standing) == 0


def test_an_excluded_key_is_not_leased_again_and_promises_nothing(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")

    assert keys.use(0) == 1
    assert keys.wait_s(0, 1) == math.inf


def test_an_excluded_key_that_rests_still_counts_for_the_wait(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    keys.pool.rest(0, 5)
    keys.pool.rest(1, 40)

    assert keys.wait_s(0) == pytest.approx(5)


def test_a_key_set_aside_is_only_a_last_resort(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    keys.pool.set_aside(0, 1800)

    assert {keys.use() for _ in range(4)} == {1}
    assert {keys.use(last_resort=True) for _ in range(4)} == {1}
    assert keys.wait_s(1) == pytest.approx(1800)
    assert keys.use(1, last_resort=True) == 0


def test_a_key_set_aside_comes_back_in_its_time(keys_of: MakeKeys, clock: SetClock) -> None:
    keys = keys_of("k0")
    keys.pool.set_aside(0, 1800)

    clock.later(1800)

    assert keys.use() == 0


def test_setting_a_key_aside_is_news_once(keys_of: MakeKeys, clock: SetClock) -> None:
    pool = keys_of("k0").pool

    assert pool.set_aside(0, 1800) is True
    assert pool.set_aside(0, 1800) is False
    clock.later(1801)
    assert pool.set_aside(0, 1800) is True


def test_a_last_resort_does_not_wake_a_resting_key(keys_of: MakeKeys) -> None:
    keys = keys_of("k0")
    keys.pool.set_aside(0, 1800)
    keys.pool.rest(0, 5)

    assert keys.wait_s(last_resort=True) == pytest.approx(1800)


def test_a_success_brings_a_key_back_that_was_set_aside_but_ends_no_rest(keys_of: MakeKeys) -> None:
    keys = keys_of("k0")
    keys.pool.set_aside(0, 1800)
    keys.pool.rest(0, 5)

    assert keys.pool.restore(0, keys.standing) is True
    assert keys.wait_s() == pytest.approx(5)
    assert keys.pool.restore(0, keys.standing) is False


def test_what_happens_to_one_key_leaves_what_is_known_of_the_others(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", "k2")
    keys.pool.rest(0, 60)
    keys.pool.set_aside(1, 60)

    keys.pool.rest(2, 60)
    keys.pool.restore(1, keys.standing)

    assert keys.available == 1
    assert keys.use() == 1


def test_equal_keys_count_once_and_empty_ones_not_at_all(keys_of: MakeKeys) -> None:
    keys = keys_of("", "k1", "k1", "k3", strategy="round_robin")

    assert keys.pool.total == 2
    assert keys.uses(3) == [1, 3, 1]


def test_without_pooling_only_the_first_key_is_used(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1", pooling=False)

    assert keys.pool.total == 1
    assert set(keys.uses(3)) == {0}
    assert keys.wait_s(0) == math.inf


def test_a_pool_without_keys_is_empty(keys_of: MakeKeys) -> None:
    keys = keys_of("")

    assert (keys.pool.total, keys.available) == (0, 0)
    assert keys.wait_s(last_resort=True) == math.inf
    assert keys.pool.wait_s(keys.standing) == 0


def test_a_reload_forgets_nothing_and_keys_may_move(keys_of: MakeKeys) -> None:
    limited = a_key("k0", rpm_limit=1)
    before = keys_of(limited, "k1", "k2", strategy="round_robin")
    assert before.use() == 0
    before.pool.rest(1, 60)
    before.pool.set_aside(2, 60)

    after = keys_of("k2", "k1", limited, "new", strategy="round_robin")

    assert after.available == 1
    assert set(after.uses(4)) == {3}
    assert after.use(3, last_resort=True) == 0


def test_a_key_whose_text_changes_starts_anew(keys_of: MakeKeys) -> None:
    keys_of("k0").pool.set_aside(0, 1800)

    assert keys_of("repaired").available == 1


def test_the_same_key_at_two_providers_is_two_keys(keys_of: MakeKeys) -> None:
    limited = a_key("k0", rpm_limit=1)
    at_a, at_b = keys_of(limited, name="a"), keys_of(limited, name="b")

    assert at_a.use() == 0
    at_a.pool.rest(0, 60)

    assert at_b.available == 1
    assert at_b.use() == 0


def test_a_pool_reads_as_its_provider_and_size(keys_of: MakeKeys) -> None:
    assert repr(keys_of("k0", "k1").pool) == "KeyPool(p: 2 keys)"


def test_for_a_single_key_without_limits_nothing_is_written(clock: SetClock) -> None:
    store = CountingStore(clock)
    keys = Keys(store, "k0")

    keys.claim(preferred=keys.digest("k0")).settle(A_REQUEST)

    assert store.writes == 0


def test_of_two_keys_the_requests_are_counted_even_without_limits(clock: SetClock) -> None:
    store = CountingStore(clock)
    keys = Keys(store, "k0", "k1")

    lease = keys.claim()

    assert store.writes == 1
    assert store.loads([lease.member.in_flight])[0].held == 1
