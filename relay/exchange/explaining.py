"""Explaining: where a request would go, and why. Nothing is sent, and no counter moves.

The same steps as `failover` takes, up to the first attempt: route, breaker, key.
"""

from dataclasses import dataclass

from relay.breaker.transitions import State
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.expecting import expected
from relay.exchange.route import Routing
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.standing import KeyState
from relay.routing.rename import renamed


@dataclass(frozen=True, slots=True)
class Step:
    """One candidate, at its place in the order."""

    provider: str
    breaker: State
    model: str
    """The name it would get."""
    key: str
    """The id of the key that would be leased; empty: the client's own credential, or none."""
    note: str
    """Why there would be no key, or what is known of those that are out."""
    can_serve: bool
    input_tokens: int
    """What would be reserved of the key's minute."""
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found."""

    strategy: str
    model: str
    """As it is asked for, or as a scenario has it."""
    scenario: str
    by_affinity: bool
    session: str
    input_tokens: int
    """About; cached ones included."""
    steps: tuple[Step, ...]
    excluded: tuple[tuple[str, str], ...]
    """Provider and reason."""


def explain(exchange: Exchange) -> Explanation:
    """Work it out. Raises: `RelayError` as the client would be told, when nobody can be asked."""
    asked = Asked(exchange.inbound, exchange.client.name)
    standing = Standing(exchange.means)
    route = Routing(exchange, asked, standing, peek=True).route()
    return Explanation(
        strategy=exchange.means.config.routing.strategy,
        model=route.model,
        scenario=route.scenario,
        by_affinity=route.by_affinity,
        session=asked.session,
        input_tokens=asked.input_tokens,
        steps=tuple(_step(exchange, asked, standing, each, route.model) for each in route.order),
        excluded=tuple((each.upstream.name, each.reason) for each in route.excluded),
    )


def _step(
    exchange: Exchange, asked: Asked, standing: Standing, upstream: Upstream, model: str
) -> Step:
    amounts = expected(exchange, asked, upstream, standing, model)
    keys = standing.keys(upstream)
    own = upstream.passes(exchange.client)
    key, note, can_serve = "", "", True
    if own or not upstream.pool.total:
        note = "the client's own credential" if own else "no credential"
    else:
        states = upstream.pool.states(keys, amounts)
        chosen = upstream.pool.peek(keys, amounts)
        key = f"{upstream.name}/{chosen.position}" if chosen else ""
        out = [f"{upstream.name}/{each.position} {_out(each)}" for each in states if each.wait_s]
        note, can_serve = "; ".join(out), chosen is not None
    return Step(
        provider=upstream.name,
        breaker=standing.state(upstream),
        model=renamed(model, upstream.config.model_mapping) if model else "",
        key=key,
        note=note,
        can_serve=can_serve,
        input_tokens=amounts.input,
        output_tokens=amounts.output,
    )


def _out(key: KeyState) -> str:
    """Why a key is not usable, and for how long."""
    if key.aside_s:
        return f"is set aside for {key.aside_s:.0f} s"
    if key.rests_s:
        return f"rests for {key.rests_s:.0f} s"
    return f"has no room for {key.room_s:.0f} s"
