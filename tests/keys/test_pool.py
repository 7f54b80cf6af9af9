"""Which key the next attempt gets, and how keys leave and come back."""

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from relay.config.model import KeyConfig, PoolingConfig, ProviderConfig, TimeoutsConfig
from relay.keys.pool import KeyPool, KeyStates, Lease, Resting
from relay.secret import Secret

NOTHING: Mapping[str, str] = {}


class StillClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def a_key(text: str, priority: int = 0) -> KeyConfig:
    return KeyConfig(
        key=Secret(text),
        rpm_limit=0,
        itpm_limit=0,
        otpm_limit=0,
        tpm_limit=0,
        priority=priority,
        weight=1,
    )


def a_provider(
    keys: Sequence[KeyConfig], *, name: str = "p", pooling: bool = True
) -> ProviderConfig:
    return ProviderConfig(
        name=name,
        type="anthropic",
        base_url=Secret("http://127.0.0.1:1"),
        auth="auto",
        models=(),
        model_mapping=NOTHING,
        priority=0,
        weight=1,
        keys=tuple(keys),
        pooling=PoolingConfig(strategy="round_robin", enabled=pooling),
        timeouts=TimeoutsConfig(connect_ms=1000, first_byte_ms=1000, idle_ms=1000),
        proxy=Secret(""),
        ca_file="",
    )


Pools = Callable[..., KeyPool]


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def states() -> KeyStates:
    return KeyStates()


@pytest.fixture
def pool_of(clock: StillClock, states: KeyStates) -> Pools:
    def build(*keys: str | KeyConfig, name: str = "p", pooling: bool = True) -> KeyPool:
        made = [a_key(key) if isinstance(key, str) else key for key in keys]
        return KeyPool(a_provider(made, name=name, pooling=pooling), states=states, clock=clock)

    return build


def claimed(pool: KeyPool, *exclude: int, last_resort: bool = False) -> Lease:
    lease = pool.lease(exclude, last_resort=last_resort)
    assert isinstance(lease, Lease)
    return lease


def leased(pool: KeyPool, *exclude: int, last_resort: bool = False) -> int:
    lease = claimed(pool, *exclude, last_resort=last_resort)
    lease.release()
    return lease.position


def test_keys_take_turns(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1", "k2")

    assert [leased(pool) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_lease_names_its_key_by_provider_and_position(pool_of: Pools) -> None:
    lease = claimed(pool_of("k0", name="acme"))

    assert (lease.id, lease.position, lease.key.key.reveal()) == ("acme/0", 0, "k0")
    assert "k0" not in repr(lease)


def test_a_key_is_given_back_once_however_often_it_is_released(
    pool_of: Pools, states: KeyStates
) -> None:
    pool = pool_of("k0")
    first, second = claimed(pool), claimed(pool)

    first.release()
    first.release()

    assert states.of("p", Secret("k0")).in_flight == 1
    second.release()
    assert states.of("p", Secret("k0")).in_flight == 0


def test_a_resting_key_is_passed_over_until_its_time(pool_of: Pools, clock: StillClock) -> None:
    pool = pool_of("k0", "k1")

    pool.rest(0, 2)

    assert {leased(pool) for _ in range(4)} == {1}
    assert (pool.total, pool.available) == (2, 1)
    clock.now += 2
    assert {leased(pool) for _ in range(4)} == {0, 1}


def test_a_longer_rest_is_not_shortened(pool_of: Pools, clock: StillClock) -> None:
    pool = pool_of("k0")
    pool.rest(0, 10)

    pool.rest(0, 1)

    clock.now += 9
    assert pool.lease() == Resting(1)


def test_all_keys_resting_says_when_the_first_comes_back(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1")
    pool.rest(0, 40)
    pool.rest(1, 5)

    assert pool.lease() == Resting(5)


def test_an_excluded_key_is_not_leased_again_and_promises_nothing(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1")

    assert leased(pool, 0) == 1
    assert pool.lease((0, 1)) == Resting(math.inf)


def test_an_excluded_key_that_rests_still_counts_for_the_wait(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1")
    pool.rest(0, 5)
    pool.rest(1, 40)

    assert pool.lease((0,)) == Resting(5)


def test_a_key_set_aside_is_only_a_last_resort(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1")
    pool.set_aside(0, 1800)

    assert {leased(pool) for _ in range(4)} == {1}
    assert {leased(pool, last_resort=True) for _ in range(4)} == {1}
    assert pool.lease((1,)) == Resting(1800)
    assert leased(pool, 1, last_resort=True) == 0


def test_a_last_resort_does_not_wake_a_resting_key(pool_of: Pools) -> None:
    pool = pool_of("k0")
    pool.set_aside(0, 1800)
    pool.rest(0, 5)

    assert pool.lease(last_resort=True) == Resting(1800)


def test_a_success_brings_a_key_back_that_was_set_aside_but_ends_no_rest(pool_of: Pools) -> None:
    pool = pool_of("k0")
    pool.set_aside(0, 1800)
    pool.rest(0, 5)

    assert pool.restore(0) is True
    assert pool.lease() == Resting(5)
    assert pool.restore(0) is False


def test_keys_of_a_lower_priority_come_when_the_higher_ones_are_gone(pool_of: Pools) -> None:
    pool = pool_of(a_key("low"), a_key("high", 2), a_key("also high", 2))

    assert [leased(pool) for _ in range(4)] == [1, 2, 1, 2]
    assert leased(pool, 1, 2) == 0


def test_equal_keys_count_once_and_empty_ones_not_at_all(pool_of: Pools) -> None:
    pool = pool_of("", "k1", "k1", "k3")

    assert pool.total == 2
    assert [leased(pool) for _ in range(3)] == [1, 3, 1]


def test_without_pooling_only_the_first_key_is_used(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1", pooling=False)

    assert pool.total == 1
    assert {leased(pool) for _ in range(3)} == {0}


def test_a_pool_without_keys_is_empty(pool_of: Pools) -> None:
    pool = pool_of("")

    assert (pool.total, pool.available) == (0, 0)
    assert pool.lease(last_resort=True) == Resting(math.inf)


def test_a_reload_forgets_neither_rest_nor_turn_and_keys_may_move(pool_of: Pools) -> None:
    before = pool_of("k0", "k1", "k2")
    assert leased(before) == 0
    before.rest(1, 60)

    after = pool_of("new", "k1", "k0")

    assert after.available == 2
    assert [leased(after) for _ in range(4)] == [2, 2, 0, 2]


def test_a_key_whose_text_changes_starts_anew(pool_of: Pools) -> None:
    pool_of("k0").set_aside(0, 1800)

    assert pool_of("repaired").available == 1


def test_the_same_key_at_two_providers_is_two_keys(pool_of: Pools) -> None:
    pool_of("k0", name="a").rest(0, 60)

    assert pool_of("k0", name="b").available == 1


def test_a_pool_reads_as_its_state(pool_of: Pools) -> None:
    pool = pool_of("k0", "k1")
    pool.rest(0, 60)

    assert repr(pool) == "KeyPool(p: 1 of 2 available)"
