"""So much in any minute: reserved before the call, settled after it (behaviour 9.3)."""

import pytest

from relay.limits.kinds import A_REQUEST, NOTHING, Amounts
from relay.messages.usage import Usage
from relay.state.lmdb import LmdbStore
from tests.keys.given import Keys, MakeKeys, a_key
from tests.state.given import SetClock

MINUTE_S = 61.0
"""After so long a window has forgotten."""


def test_no_more_requests_start_than_the_limit_says(keys_of: MakeKeys, clock: SetClock) -> None:
    keys = keys_of(a_key("k0", rpm_limit=3))

    assert keys.uses(3) == [0, 0, 0]
    assert 59 < keys.wait_s() <= MINUTE_S
    clock.later(58)
    assert 0 < keys.wait_s() <= 3
    clock.later(3)
    assert keys.use() == 0


def test_requests_are_counted_when_they_start_not_when_they_end(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1))
    lease = keys.claim()

    clock.later(50)
    lease.settle(A_REQUEST)

    assert keys.wait_s() <= 11


@pytest.mark.parametrize("limit", ["itpm_limit", "otpm_limit", "tpm_limit"])
def test_tokens_are_reserved_by_what_is_expected(keys_of: MakeKeys, limit: str) -> None:
    keys = keys_of(a_key("k0", **{limit: 1000}))
    expected = {
        "itpm_limit": Amounts.of(400, 9999),
        "otpm_limit": Amounts.of(9999, 400),
        "tpm_limit": Amounts.of(300, 100),
    }[limit]

    assert [keys.use(amounts=expected) for _ in range(2)] == [0, 0]
    assert 0 < keys.wait_s(amounts=expected) <= MINUTE_S


def test_every_limit_of_a_key_must_have_room(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=10, itpm_limit=1000, otpm_limit=100))
    keys.use(amounts=Amounts.of(100, 60))

    assert keys.wait_s(amounts=Amounts.of(100, 60)) > 0
    assert keys.wait_s(amounts=Amounts.of(950, 10)) > 0
    assert keys.use(amounts=Amounts.of(800, 40)) == 0


def test_what_was_used_takes_the_place_of_what_was_claimed(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", itpm_limit=1000, otpm_limit=1000, tpm_limit=1500))
    lease = keys.claim(amounts=Amounts.of(500, 500))
    assert keys.wait_s(amounts=Amounts.of(300, 300)) > 0

    lease.settle(Amounts.used(Usage(input_tokens=100, output_tokens=50, cache_write=20)))

    # Left: 880 of the input, 950 of the output, 1330 of the total.
    assert keys.wait_s(amounts=Amounts.of(881, 0)) > 0
    assert keys.wait_s(amounts=Amounts.of(0, 951)) > 0
    assert keys.wait_s(amounts=Amounts.of(661, 670)) > 0
    assert keys.use(amounts=Amounts.of(660, 670)) == 0


def test_more_may_have_been_used_than_was_claimed(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", otpm_limit=1000))

    keys.claim(amounts=Amounts.of(0, 10)).settle(Amounts.of(0, 5000))

    assert keys.wait_s(amounts=Amounts.of(0, 1)) > 0


def test_reads_from_the_prompt_cache_are_free_and_writes_are_not() -> None:
    usage = Usage(input_tokens=10, output_tokens=7, cache_read=5000, cache_write=300)

    assert Amounts.used(usage) == Amounts(requests=1, input=310, output=7, total=317)


def test_what_was_never_sent_gives_everything_back(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=1, tpm_limit=100))

    for _ in range(5):
        keys.claim(amounts=Amounts.of(50, 50)).settle(NOTHING)

    assert keys.use(amounts=Amounts.of(50, 50)) == 0


def test_what_was_answered_with_an_error_stays_counted_as_a_request(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=2, tpm_limit=100))
    keys.claim(amounts=Amounts.of(50, 50)).settle(A_REQUEST)

    assert keys.use(amounts=Amounts.of(50, 50)) == 0
    assert keys.wait_s(amounts=NOTHING._replace(requests=1)) > 0


def test_without_a_word_it_counts_as_it_was_claimed(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", tpm_limit=100))

    keys.claim(amounts=Amounts.of(30, 30)).settle()

    assert keys.wait_s(amounts=Amounts.of(30, 30)) > 0
    assert keys.use(amounts=Amounts.of(30, 10)) == 0


def test_only_the_first_word_counts(keys_of: MakeKeys) -> None:
    keys = keys_of(a_key("k0", rpm_limit=2, tpm_limit=100))
    lease = keys.claim(amounts=Amounts.of(50, 50))
    lease.settle(A_REQUEST)

    lease.settle(NOTHING)
    lease.settle(Amounts.of(5000, 5000))
    lease.settle()

    assert keys.use(amounts=Amounts.of(50, 50)) == 0
    assert keys.wait_s(amounts=NOTHING._replace(requests=1)) > 0


def test_settling_after_the_minute_frees_nothing_of_what_came_later(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", tpm_limit=100))
    slow = keys.claim(amounts=Amounts.of(50, 50))
    clock.later(MINUTE_S)
    keys.use(amounts=Amounts.of(50, 50))

    slow.settle(NOTHING)

    assert keys.wait_s(amounts=Amounts.of(1, 0)) > 0


def test_an_exchange_larger_than_a_limit_is_admitted_into_an_empty_window(
    keys_of: MakeKeys, clock: SetClock
) -> None:
    keys = keys_of(a_key("k0", itpm_limit=1000, rpm_limit=10))
    huge = Amounts.of(50_000, 10)

    assert keys.use(amounts=huge) == 0
    assert keys.wait_s(amounts=huge) > 0
    assert keys.wait_s(amounts=Amounts.of(1, 1)) > 0
    clock.later(MINUTE_S)
    assert keys.use(amounts=huge) == 0


def test_an_exchange_larger_than_a_limit_waits_until_its_window_is_empty(
    keys_of: MakeKeys,
) -> None:
    keys = keys_of(a_key("k0", itpm_limit=1000))
    keys.use(amounts=Amounts.of(1, 1))

    assert keys.wait_s(amounts=Amounts.of(50_000, 10)) > 0


def test_limits_are_kept_over_two_workers(workers: tuple[LmdbStore, LmdbStore]) -> None:
    one, other = (Keys(store, a_key("k0", rpm_limit=3, tpm_limit=300)) for store in workers)
    amounts = Amounts.of(50, 50)

    leases = [one.claim(amounts=amounts), other.claim(amounts=amounts), one.claim(amounts=amounts)]

    assert other.wait_s(amounts=amounts) > 0
    leases[1].settle(NOTHING)
    assert one.use(amounts=amounts) == 0


def test_a_key_that_moves_in_the_list_takes_its_minute_along(keys_of: MakeKeys) -> None:
    assert keys_of(a_key("k0", rpm_limit=1)).use() == 0

    moved = keys_of("new", a_key("k0", rpm_limit=1))

    assert moved.wait_s(0) > 0


def test_tokens_are_counted_only_where_a_key_has_a_limit_on_them(keys_of: MakeKeys) -> None:
    requests = keys_of("k0", a_key("k1", rpm_limit=1), name="a")
    tokens = keys_of("k0", a_key("k1", otpm_limit=1), name="b")

    assert not requests.pool.counts_tokens(requests.standing)
    assert tokens.pool.counts_tokens(tokens.standing)
