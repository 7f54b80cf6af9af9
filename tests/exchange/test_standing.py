"""What the store says of the upstreams at one moment (behaviour 7.1, step 4)."""

import pytest

from relay.breaker.transitions import State
from relay.exchange.standing import Standing
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.routed import NOWHERE, breaker, fail
from tests.scripted.config import config, provider


@pytest.fixture
def driven(drive: Drive) -> Driven:
    off = provider("off", NOWHERE, "k", enabled=False)
    ours = (provider(name, NOWHERE, f"k{name}", f"l{name}") for name in "ABC")
    return drive(config(off, *ours, health=breaker(open_duration_ms=20_000)))


def states(driven: Driven) -> list[State]:
    standing = Standing(driven.runtime.means)
    return [standing.state(upstream) for upstream in driven.runtime.means.upstreams]


def test_each_upstream_has_the_state_of_its_own_breaker(driven: Driven) -> None:
    assert states(driven) == [State.CLOSED] * 3

    fail(driven, "B")

    assert states(driven) == [State.CLOSED, State.OPEN, State.CLOSED]
    driven.clock.ahead_s += 20.1
    assert states(driven) == [State.CLOSED, State.HALF_OPEN, State.CLOSED]


def test_each_upstream_has_its_own_keys(driven: Driven) -> None:
    a, b, c = driven.runtime.means.upstreams

    b.pool.rest(0, 60)
    c.pool.set_aside(1, 60)

    standing = Standing(driven.runtime.means)
    assert [each.pool.available(standing.keys(each)) for each in (a, b, c)] == [2, 1, 1]


def test_the_time_until_it_turns_half_open_is_that_of_open_ones(driven: Driven) -> None:
    a, b, _ = driven.runtime.means.upstreams
    fail(driven, "B")
    driven.clock.ahead_s += 5

    standing = Standing(driven.runtime.means)

    assert standing.opens_s(a) == 0
    assert standing.opens_s(b) == pytest.approx(15, abs=1)


def test_it_stays_as_it_was_until_it_is_read_again(driven: Driven) -> None:
    standing = Standing(driven.runtime.means)
    a = driven.runtime.means.upstreams[0]
    now = standing.now
    fail(driven, "A")
    driven.clock.ahead_s += 5
    assert (standing.state(a), standing.now) == (State.CLOSED, now)

    standing.look()

    assert standing.state(a) is State.OPEN
    assert standing.now >= now + 5


def test_after_a_reload_everybody_keeps_his_own(driven: Driven) -> None:
    fail(driven, "A")
    driven.runtime.means.upstreams[2].pool.rest(0, 60)

    moved = driven.renewed(
        config(*(provider(name, NOWHERE, f"k{name}") for name in "CAB"), health=breaker())
    )

    assert states(moved) == [State.CLOSED, State.OPEN, State.CLOSED]
    standing = Standing(moved.runtime.means)
    available = [each.pool.available(standing.keys(each)) for each in moved.runtime.means.upstreams]
    assert available == [0, 1, 1]
