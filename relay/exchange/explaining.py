"""Explaining: where a request would go, and why. Nothing is sent, and no counter moves.

The same steps as `failover` takes, up to the first attempt: route, breaker, credential.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from relay.breaker.transitions import State
from relay.errors import KeysResting, RelayError
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.expecting import expected
from relay.exchange.route import Route, Routing
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.member import members
from relay.keys.standing import KeyState
from relay.limits.kinds import Amounts
from relay.routing.rename import renamed

_SOON_S: Final = 1.0


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
    error: str
    """What the client would be told, if nobody could serve."""


def explain(exchange: Exchange) -> Explanation:
    """Work it out."""
    asked = Asked(exchange.inbound, exchange.client.name)
    standing = Standing(exchange.means)
    found = Explanation(
        strategy=exchange.means.config.routing.strategy or "failover",
        model=exchange.model,
        scenario="",
        by_affinity=False,
        session=asked.session,
        input_tokens=asked.input_tokens,
        steps=(),
        excluded=(),
        error="",
    )
    try:
        route = Routing(exchange, asked, standing, peek=True).route()
    except RelayError as error:
        return replace(found, excluded=_out(exchange, standing), error=_told(error))
    stepping = _Stepping(exchange, asked, standing, route)
    steps, resting = stepping.steps()
    return replace(
        found,
        model=route.model,
        scenario=route.scenario,
        by_affinity=route.by_affinity,
        steps=tuple(steps),
        excluded=tuple(
            (each.upstream.name, _excluded(each.upstream, each.reason, standing))
            for each in route.excluded
        ),
        error=f"{_told(resting)}{stepping.waits}" if resting else "",
    )


def why_out(key: KeyState) -> str:
    """Why a key is not usable, and for how long; empty: it is."""
    whys = (
        ("is set aside", key.aside_s),
        ("rests", key.rests_s),
        ("has no room", key.room_s),
    )
    return ", ".join(f"{why} for {math.ceil(wait_s)} s" for why, wait_s in whys if wait_s)


class _Stepping:
    """What each upstream of a route would be shown, in its order."""

    def __init__(self, exchange: Exchange, asked: Asked, standing: Standing, route: Route) -> None:
        self._exchange = exchange
        self._asked = asked
        self._standing = standing
        self._route = route
        self._shown_to = ""
        self._waits_s: list[float] = []
        self._aside: dict[int, str] = {}
        self._is_taken = False

    def steps(self) -> tuple[list[Step], KeysResting | None]:
        """The steps; and what the client would be told if there is nobody who could serve."""
        steps = [self._step(place, upstream) for place, upstream in enumerate(self._route.order)]
        if any(step.can_serve for step in steps):
            return steps, None
        for place, key in self._aside.items():
            note = f"{steps[place].note}; tried as a last resort"
            steps[place] = replace(steps[place], key=key, note=note, can_serve=True)
        if self._aside:
            return steps, None
        return steps, KeysResting(min(self._waits_s, default=_SOON_S))

    @property
    def waits(self) -> str:
        """What comes before that answer, as `Claiming.is_worth_waiting` has it."""
        queue_s = self._exchange.means.config.routing.queue_ms / 1000
        if queue_s and (self._is_taken or min(self._waits_s, default=math.inf) <= queue_s):
            return f", unless there is room within {queue_s:g} s (routing.queue_ms)"
        return ""

    def _step(self, place: int, upstream: Upstream) -> Step:
        exchange, model = self._exchange, self._route.model
        amounts = expected(exchange, self._asked, upstream, self._standing, model)
        key, note, can_serve = self._credential(place, upstream, amounts)
        return Step(
            provider=upstream.name,
            breaker=self._standing.state(upstream),
            model=renamed(model, upstream.config.model_mapping) if model else "",
            key=key,
            note=note,
            can_serve=can_serve,
            input_tokens=amounts.input,
            output_tokens=amounts.output,
        )

    def _credential(
        self, place: int, upstream: Upstream, amounts: Amounts
    ) -> tuple[str, str, bool]:
        """As `Credentials.take` would have it: key id, note, and whether there is one."""
        client, total = self._exchange.client, upstream.pool.total
        own, host = upstream.passes(client), urlsplit(upstream.base_url).netloc
        if own and self._shown_to not in ("", host):
            keys_are_for_it = (
                total and client.may_use_keys and upstream.config.auth != "passthrough"
            )
            if not keys_are_for_it:
                return "", f"the client's own credential goes to {self._shown_to} alone", False
        elif own is not None or not total:
            self._shown_to = host if own else self._shown_to
            return "", "the client's own credential" if own else "no credential", True
        states = upstream.pool.states(self._standing.keys(upstream), amounts)
        chosen = self._chosen(place, upstream, amounts, states)
        out = [f"{_id(upstream, each)} {why_out(each)}" for each in states if each.wait_s]
        if chosen is None:
            self._left(place, upstream, states)
        return _id(upstream, chosen) if chosen else "", "; ".join(out), chosen is not None

    def _chosen(
        self, place: int, upstream: Upstream, amounts: Amounts, states: Sequence[KeyState]
    ) -> KeyState | None:
        """The key with the session's prompt cache, else what the pool would lease."""
        if place == 0 and self._route.key_digest:
            digests = {member.digest: member.position for member in members(upstream.config)}
            position = digests.get(self._route.key_digest)
            for each in states:
                if each.position == position and not each.wait_s:
                    return each
        return upstream.pool.peek(self._standing.keys(upstream), amounts)

    def _left(self, place: int, upstream: Upstream, states: Sequence[KeyState]) -> None:
        """What is left of keys of which none is usable: a wait, and perhaps a last resort."""
        # The last resort ends the being aside, not the rest and not the lack of room.
        self._waits_s += [max(each.rests_s, each.room_s) or each.aside_s for each in states]
        self._is_taken |= any(each.wait_s == each.room_s for each in states)
        last = [each for each in states if each.aside_s and not (each.rests_s or each.room_s)]
        if last:
            self._aside[place] = _id(upstream, min(last, key=lambda each: each.used))


def _id(upstream: Upstream, key: KeyState) -> str:
    return f"{upstream.name}/{key.position}"


def _out(exchange: Exchange, standing: Standing) -> tuple[tuple[str, str], ...]:
    """Everybody, where nobody is left, and why as far as it is not what the error says."""
    reasons = []
    for upstream in exchange.means.upstreams:
        if not upstream.serves(exchange.client):
            reasons.append((upstream.name, "this client may not use it"))
        elif standing.state(upstream) is State.OPEN:
            reasons.append((upstream.name, _excluded(upstream, "its breaker is open", standing)))
    return tuple(reasons)


def _excluded(upstream: Upstream, reason: str, standing: Standing) -> str:
    if standing.state(upstream) is not State.OPEN:
        return reason
    return f"{reason} for {math.ceil(standing.opens_s(upstream))} s"


def _told(error: RelayError) -> str:
    told = f"{error.status} {error.type}: {error}"
    if error.retry_after_s is None:
        return told
    return f"{told} (for about {math.ceil(error.retry_after_s)} s)"
