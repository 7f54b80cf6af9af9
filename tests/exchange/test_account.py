"""The account of one attempt: whatever ends it, everything is given back once."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from relay.breaker import classify
from relay.breaker.transitions import State
from relay.errors import UpstreamSilent, UpstreamUnreachable
from relay.exchange.account import Account
from relay.exchange.credentials import Credentials
from relay.exchange.standing import Standing
from relay.keys.lease import Resting
from relay.limits.kinds import Amounts
from relay.messages.usage import Usage
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.routed import NOWHERE, breaker, exchange, fail, state
from tests.scripted.client import MSG
from tests.scripted.config import config, provider

CLAIMED = Amounts.of(400, 100)
USED = Usage(input_tokens=30, output_tokens=20, cache_read=900, cache_write=50)
LIMITED = {"key": "k1", "priority": 1, "rpm_limit": 10, "tpm_limit": 1000}


@pytest.fixture
def driven(drive: Drive) -> Driven:
    """A provider with a limited key beside another, loads counted, half-open after a failure."""
    driven = drive(
        config(
            provider("A", NOWHERE, keys=[LIMITED, {"key": "k2"}]),
            routing={"strategy": "least_loaded"},
            health=breaker(half_open_probes=1, open_duration_ms=1000),
        )
    )
    fail(driven, "A")
    driven.clock.ahead_s += 1.1
    assert state(driven, "A") is State.HALF_OPEN
    return driven


Opens = Callable[[], Account]


@pytest.fixture
def opens(driven: Driven) -> Opens:
    return lambda: account(driven)


def account(driven: Driven, headers: Mapping[str, str] | None = None) -> Account:
    """As the failover opens one."""
    made = exchange(driven, MSG, headers or {})
    standing, (upstream,) = Standing(made.means), made.means.upstreams
    health = made.means.config.health
    breakers = driven.lasting.breakers
    permit = breakers.admit(
        upstream.name, standing.breaker(upstream), standing.now, health.circuit_breaker
    )
    credential = Credentials(made).take(upstream, standing, lambda: CLAIMED, last_resort=False)
    assert permit is not None
    assert credential is not None
    assert not isinstance(credential, Resting)
    return Account(made, upstream, credential, permit, standing)


def held(driven: Driven) -> tuple[int, int, int, bool]:
    """Attempts going on, lasting claims of the key and of the provider, the half-open place."""
    lasting = driven.lasting
    upstream = driven.runtime.means.upstreams[0]
    standing = Standing(driven.runtime.means)
    lease = upstream.pool.lease(standing.keys(upstream), Amounts(0, 0, 0, 0))
    assert not isinstance(lease, Resting)
    lease.settle()
    key, load = lasting.store.loads([lease.member.in_flight, "provider/A"])
    permit = lasting.breakers.admit(
        "A",
        standing.breaker(upstream),
        standing.now,
        driven.runtime.config.health.circuit_breaker,
    )
    if permit is not None:
        permit.neutral()
    return lasting.running.attempts.total(), key.held, load.held, permit is None


NOTHING_HELD = (0, 0, 0, False)


def left(driven: Driven) -> tuple[int, int]:
    """How many requests and tokens of the key's minute are left."""
    upstream = driven.runtime.means.upstreams[0]

    def most(amounts: Callable[[int], Amounts], limit: int) -> int:
        for amount in range(limit, -1, -1):
            standing = Standing(driven.runtime.means)
            lease = upstream.pool.lease(standing.keys(upstream), amounts(amount), {1})
            if not isinstance(lease, Resting):
                lease.settle(Amounts(0, 0, 0, 0))
                return amount
        return -1

    return (
        most(lambda amount: Amounts(amount, 0, 0, 0), 10),
        most(lambda amount: Amounts(0, 0, 0, amount), 1000),
    )


def good(account: Account) -> None:
    account.ended(classify.GOOD, "", USED)


ENDINGS: dict[str, tuple[Callable[[Account], None], int, int, State]] = {
    # what happens, requests and tokens that stay counted, the breaker afterwards
    "a good answer": (good, 1, 100, State.CLOSED),
    "an answer without usage": (
        lambda account: account.ended(classify.GOOD, "", Usage()),
        1,
        500,
        State.CLOSED,
    ),
    "a stream that broke": (
        lambda account: account.ended(classify.of_unusable(), "broken", USED),
        1,
        100,
        State.OPEN,
    ),
    "a client that left": (
        lambda account: account.ended(classify.CLIENT_LEFT, "", USED),
        1,
        100,
        State.HALF_OPEN,
    ),
    "a client that left before the answer": (Account.dropped, 1, 500, State.HALF_OPEN),
    "a request that was not sent": (
        lambda account: account.dropped(sent=False),
        0,
        0,
        State.HALF_OPEN,
    ),
    "a refused connection": (
        lambda account: account.failed(
            classify.of_error(UpstreamUnreachable("refused"), retry_ambiguous=True), "refused"
        ),
        0,
        0,
        State.OPEN,
    ),
    "no answer": (
        lambda account: account.failed(
            classify.of_error(UpstreamSilent("silent"), retry_ambiguous=True), "silent"
        ),
        1,
        500,
        State.OPEN,
    ),
    "a status of 500": (
        lambda account: account.failed(classify.of_status(500, ours=True), "500"),
        1,
        0,
        State.OPEN,
    ),
    "a status of 400": (
        lambda account: account.failed(classify.of_status(400, ours=True), "400"),
        1,
        0,
        State.CLOSED,
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_gives_everything_back(driven: Driven, opens: Opens, ending: str) -> None:
    end, requests, tokens, breaker_after = ENDINGS[ending]
    opened = opens()
    assert held(driven) == (1, 1, 1, True)

    end(opened)

    assert state(driven, "A") is breaker_after
    driven.clock.ahead_s += 1.1  # so that an open one is half-open
    assert held(driven) == NOTHING_HELD
    assert left(driven) == (10 - requests, 1000 - tokens)


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("then", ["a good answer", "a status of 500", "a refused connection"])
def test_only_the_first_ending_counts(driven: Driven, opens: Opens, first: str, then: str) -> None:
    end, requests, tokens, breaker_after = ENDINGS[first]
    opened = opens()
    end(opened)

    ENDINGS[then][0](opened)
    opened.dropped()

    assert state(driven, "A") is breaker_after
    driven.clock.ahead_s += 1.1
    assert held(driven) == NOTHING_HELD
    assert left(driven) == (10 - requests, 1000 - tokens)


def test_what_others_hold_stays_theirs(driven: Driven, opens: Opens) -> None:
    ENDINGS["a status of 400"][0](opens())
    one, other = opens(), opens()

    one.dropped()
    one.dropped()

    assert held(driven)[:3] == (1, 1, 1)
    other.dropped()


def test_a_client_s_own_credential_holds_no_key(driven: Driven) -> None:
    opened = account(driven, {"authorization": "Bearer own"})

    assert held(driven) == (1, 0, 1, True)
    assert not opened.is_pooled
    opened.failed(classify.of_status(429, ours=False), "429")
    assert held(driven) == NOTHING_HELD
    assert left(driven) == (10, 1000)
    assert state(driven, "A") is State.HALF_OPEN


def test_the_average_output_is_learned_from_good_and_broken_answers_alike(
    driven: Driven, opens: Opens
) -> None:
    opened = opens()
    opened.sends("m1")

    opened.ended(classify.of_unusable(), "broken", Usage(output_tokens=300))

    outputs = driven.lasting.outputs
    assert outputs.expected("A", "m1", None) == 600
    assert outputs.expected("A", "claude-x", None) == 1024


@pytest.mark.parametrize(("headers", "rests_s"), [({}, 60), ({"retry-after": "7"}, 7)])
def test_a_429_tells_how_long_the_key_would_rest(
    opens: Opens, headers: dict[str, Any], rests_s: float
) -> None:
    opened = opens()

    assert opened.rests_s(list(headers.items())) == rests_s
    opened.dropped()


def test_whether_tokens_are_counted_is_the_key_s_matter(driven: Driven, opens: Opens) -> None:
    opened = opens()
    assert opened.counts_tokens
    opened.dropped()

    own = account(driven, {"authorization": "Bearer own"})

    assert not own.counts_tokens
    assert own.rests_s([]) is None
    own.dropped()
