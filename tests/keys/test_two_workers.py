"""What one worker learns of a key holds for all of them, and is said once (behaviour 9.1)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.limits.kinds import Limits
from relay.limits.learned import Learned
from relay.state.lmdb import LmdbStore
from tests.keys.given import Keys
from tests.state.given import SetClock


@pytest.fixture
def pools(workers: tuple[LmdbStore, LmdbStore]) -> tuple[Keys, Keys]:
    return Keys(workers[0], "k0", "k1"), Keys(workers[1], "k0", "k1")


def test_a_key_that_rests_rests_for_both(pools: tuple[Keys, Keys], clock: SetClock) -> None:
    one, other = pools

    one.pool.rest(0, 20)

    assert other.available == 1
    assert set(other.uses(3)) == {1}
    other.pool.rest(1, 30)
    assert one.wait_s() == pytest.approx(20)
    clock.later(20)
    assert one.use() == other.use() == 0


def test_a_longer_rest_of_the_other_s_is_not_shortened(pools: tuple[Keys, Keys]) -> None:
    one, other = pools
    one.pool.rest(0, 60)

    other.pool.rest(0, 5)

    assert other.wait_s(1) == pytest.approx(60)


def test_a_key_set_aside_is_news_to_one_of_them(pools: tuple[Keys, Keys]) -> None:
    one, other = pools

    assert (one.pool.set_aside(0, 60), other.pool.set_aside(0, 60)) == (True, False)
    assert set(one.uses(2)) == set(other.uses(2)) == {1}


def test_a_key_that_works_again_is_news_to_one_of_them(pools: tuple[Keys, Keys]) -> None:
    one, other = pools
    one.pool.set_aside(0, 60)

    assert other.pool.restore(0, other.standing) is True
    assert one.pool.restore(0, one.standing) is False
    assert one.available == 2


def test_in_flight_is_counted_over_both(pools: tuple[Keys, Keys]) -> None:
    one, other = pools
    first = one.claim()
    assert first.position == 0

    assert other.claim().position == 1
    other.claim(1).settle()
    assert other.claim().position == 1  # two in flight beside two; one request less
    first.settle()
    assert other.claim().position == 0


def test_what_both_learn_at_once_is_not_lost(
    workers: tuple[LmdbStore, LmdbStore],
) -> None:
    texts = [f"k{number}" for number in range(8)]
    pools = [Keys(store, *texts) for store in workers]

    def learn(position: int) -> None:
        keys = pools[position % 2]
        keys.pool.rest(position, 60)
        keys.pool.set_aside(position, 90)
        keys.pool.learn(position, Learned(Limits(requests=7), {}), keys.standing, 60)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(learn, range(8)))

    known = pools[0].standing.keys
    now = pools[0].standing.now
    assert len(known) == 8
    assert all(each.rests_until > now + 59 for each in known.values())
    assert all(each.aside_until > now + 89 for each in known.values())
    assert {each.limits for each in known.values()} == {Limits(requests=7)}
