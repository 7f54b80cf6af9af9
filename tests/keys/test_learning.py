"""Limits that answers tell of (behaviour 9.4)."""

import pytest

from relay.keys.lease import Resting
from relay.limits.kinds import A_REQUEST, NO_LIMITS, NOTHING, Amounts, Kind, Limits
from relay.limits.learned import Learned, Left, learned
from relay.state.lmdb import LmdbStore
from tests.keys.given import CountingStore, Keys, MakeKeys, a_key
from tests.state.given import SetClock

MINUTE_S = 61.0
MOST_S = 3600.0
PREFIX = "anthropic-ratelimit"


def learn(keys: Keys, limits: Limits = NO_LIMITS, position: int = 0, **left: Left) -> None:
    """An answer to a key said so."""
    kinds = {Kind[name.upper()]: each for name, each in left.items()}
    keys.pool.learn(position, Learned(limits, kinds), keys.standing, MOST_S)


def starts(keys: Keys, amounts: Amounts = A_REQUEST, most: int = 50) -> int:
    """How many requests find a key, one after the other."""
    for times in range(most):
        lease = keys.ask(amounts=amounts)
        if isinstance(lease, Resting):
            return times
        lease.settle()
    return most


@pytest.mark.parametrize(("configured", "told", "holds"), [(5, 3, 3), (3, 5, 3), (0, 4, 4)])
def test_the_smaller_of_the_configured_and_the_learned_limit_holds(
    keys_of: MakeKeys, configured: int, told: int, holds: int
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=configured))

    learn(keys, Limits(requests=told))

    assert starts(keys) == holds


def test_each_kind_is_learned_by_itself(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", itpm_limit=500))
    learn(keys, Limits(input=1000, output=100))

    assert keys.pool.counts_tokens(keys.standing)
    assert starts(keys, Amounts.of(1, 30)) == 3
    assert keys.wait_s(amounts=Amounts.of(498, 1)) > 0


def test_what_was_counted_before_a_limit_was_learned_counts(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    for _ in range(3):
        keys.use(1)

    learn(keys, Limits(requests=4))

    assert keys.use(1) == 0
    assert keys.wait_s(1) > 0


def test_a_learned_limit_holds_until_another_is_told(keys_of: MakeKeys, clock: SetClock) -> None:
    keys = keys_of("k0")
    learn(keys, Limits(requests=2))
    clock.later(3000)
    assert starts(keys) == 2

    learn(keys, Limits(requests=5))

    assert starts(keys) == 3


def test_an_answer_that_says_nothing_of_a_limit_leaves_what_was_learned(keys_of: MakeKeys) -> None:
    keys = keys_of("k0")
    learn(keys, Limits(requests=2))

    learn(keys, Limits(input=1000))

    assert starts(keys) == 2


def test_a_limit_that_cannot_be_read_leaves_what_was_learned(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of("k0")
    learn(keys, Limits(requests=2))
    garbled = learned(
        [
            (f"{PREFIX}-requests-limit", "many"),
            (f"{PREFIX}-requests-remaining", "40"),
            (f"{PREFIX}-requests-reset", "2026-11-25T03:00:30Z"),
        ],
        now_wall=clock.wall(),
    )
    assert garbled.left

    keys.pool.learn(0, garbled, keys.standing, MOST_S)

    assert starts(keys) == 2


def test_no_more_starts_before_the_reset_than_is_said_to_remain(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=10))
    learn(keys, requests=Left(2, 30))

    assert starts(keys) == 2
    assert keys.wait_s() == pytest.approx(30, abs=1)
    clock.later(30)
    assert starts(keys) == 8  # of ten in any minute


def test_what_remains_never_lets_through_more_than_the_limit(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=3))
    keys.use()

    learn(keys, requests=Left(100, 30))

    assert starts(keys) == 2


def test_what_remains_of_an_unknown_limit_holds_until_its_reset(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of("k0")
    told = learned(
        [
            (f"{PREFIX}-output-tokens-remaining", "100"),
            (f"{PREFIX}-output-tokens-reset", "2026-11-25T03:00:30Z"),
        ],
        now_wall=clock.wall(),
    )
    keys.pool.learn(0, told, keys.standing, MOST_S)

    assert starts(keys, Amounts.of(1, 40)) == 2
    clock.later(31)
    assert starts(keys, Amounts.of(1, 40)) == 50


def test_what_is_given_back_is_there_again_before_the_reset(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=10))
    learn(keys, requests=Left(1, 30))
    clock.later(1)
    keys.claim().settle(NOTHING)

    assert starts(keys) == 1


def test_a_reset_is_no_further_away_than_the_longest_rest(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=10))

    learn(keys, requests=Left(0, 86400))

    assert keys.wait_s() == pytest.approx(MOST_S, abs=1)
    clock.later(MOST_S)
    assert starts(keys) == 10


def test_what_is_learned_of_one_key_is_no_other_s(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")

    learn(keys, Limits(requests=1), position=1)

    assert [keys.use(1) for _ in range(5)] == [0] * 5
    assert keys.use(0) == 1
    assert keys.wait_s(0) > 0


def test_learning_keeps_rest_and_set_aside(keys_of: MakeKeys) -> None:
    keys = keys_of("k0", "k1")
    keys.pool.rest(0, 60)
    keys.pool.set_aside(0, 60)

    learn(keys, Limits(requests=5))

    assert keys.available == 1
    assert keys.wait_s(1) == pytest.approx(60)


def test_what_is_known_already_is_not_written_again(clock: SetClock) -> None:
    store = CountingStore(clock)
    keys = Keys(store, "k0", "k1")
    learn(keys, Limits(requests=5))
    written = store.writes

    learn(keys, Limits(requests=5))

    assert store.writes == written


def test_one_worker_learns_for_all_of_them(workers: tuple[LmdbStore, LmdbStore]) -> None:
    one, other = (Keys(store, "k0", a_key("k1", rpm_limit=9)) for store in workers)

    learn(one, Limits(requests=2))
    learn(one, position=1, requests=Left(1, 30))

    assert [other.use(1) for _ in range(2)] == [0, 0]
    assert other.wait_s(1) > 0
    assert other.use(0) == 1
    assert other.wait_s(0) > 0
