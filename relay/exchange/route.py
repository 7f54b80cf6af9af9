"""Where an exchange may go, and in which order: behaviour 7.1 for one request.

    usable by this client ► scenario ► breaker not open ► affinity first ► strategy orders the rest

What strategies count and remember is the store's, so a sequence holds over all workers and a
reload keeps it. `peek` works out the same without moving any of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from relay.breaker.transitions import State
from relay.config.scenario import ScenarioConfig
from relay.errors import AllUnhealthy, Forbidden, NoUpstreamConfigured
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.ordering import Ordering
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.routing import scenarios
from relay.routing.affinity import affinity, led_by
from relay.routing.candidate import Candidate

_A_CHOICE: Final = 2


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Who is not asked, and why."""

    upstream: Upstream
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    """The upstreams in the order in which they are asked."""

    order: Sequence[Upstream]
    model: str
    """What the client asked for, or what a scenario put in its place."""
    by_affinity: bool = False
    scenario: str = ""
    excluded: Sequence[Exclusion] = field(default_factory=tuple)
    key_digest: bytes = b""
    """The key that holds the session's prompt cache, of the first upstream; empty: any."""


class Routing:
    """Works out the route of one exchange."""

    def __init__(
        self, exchange: Exchange, asked: Asked, standing: Standing, *, peek: bool = False
    ) -> None:
        self._exchange = exchange
        self._asked = asked
        self._standing = standing
        self._means = exchange.means
        self._config = exchange.means.config.routing
        self._peek = peek
        self._excluded: list[Exclusion] = []

    def route(self) -> Route:
        """The whole order.

        Raises: `Forbidden` when this client may use nobody; `AllUnhealthy` when everybody rests.
        """
        model, scenario = self._exchange.model, None
        usable = self._usable()
        if self._is_plain(usable):
            return Route(self._means.by_priority, model)
        if self._means.config.scenarios:
            scenario = scenarios.chosen(self._means.config.scenarios, self._asked.traits)
        if scenario:
            model = scenario.use.model or model
            usable = self._narrowed(usable, scenario)
        selectable = self._selectable(usable)
        if not selectable:
            raise AllUnhealthy(self._opens_s(usable))
        by_name = {upstream.name: upstream for upstream in selectable}
        candidates = [upstream.candidate for upstream in selectable]
        ordering = Ordering(self._exchange, self._asked, self._standing, model)
        if self._config.strategy == "model_based":  # which is a filter, too
            candidates = self._kept(candidates, ordering.order(candidates))
            if not candidates:
                raise AllUnhealthy(self._opens_s(usable))
        first = self._affinity(candidates)
        # With affinity the strategy orders the others, and its turn stays.
        order = led_by(ordering.order(candidates, peek=self._peek or first is not None), first)
        return Route(
            order=[by_name[candidate.name] for candidate in order],
            model=model,
            by_affinity=first is not None,
            scenario=scenario.name if scenario else "",
            excluded=tuple(self._excluded),
            key_digest=ordering.key_digest,
        )

    def _is_plain(self, usable: Sequence[Upstream]) -> bool:
        """The usual case: everybody can be asked, and priorities alone say in which order."""
        means = self._means
        return (
            self._config.strategy in ("", "failover")
            and not means.config.scenarios
            and len(usable) == len(means.upstreams)
            and all(self._standing.breaker(upstream) is None for upstream in usable)
            and not (len(usable) >= _A_CHOICE and self._asked.thinking)
        )

    def _usable(self) -> list[Upstream]:
        client, usable = self._exchange.client, []
        for upstream in self._means.upstreams:
            if upstream.serves(client):
                usable.append(upstream)
            else:
                self._exclude(upstream, "this client may not use it")
        if not usable:
            raise Forbidden("this client may use none of the configured providers")
        return usable

    def _narrowed(self, usable: list[Upstream], scenario: ScenarioConfig) -> list[Upstream]:
        by_name = {upstream.name: upstream for upstream in usable}
        kept = [by_name[name] for name in scenarios.narrowed(list(by_name), scenario)]
        names = scenario.use.providers
        if not kept:
            self._say_why_nobody(names)
        for upstream in usable:
            if upstream not in kept:
                self._exclude(upstream, "the scenario names others")
        return kept

    def _say_why_nobody(self, names: Sequence[str]) -> NoReturn:
        """A scenario has left nobody to ask."""
        if any(upstream.name in names for upstream in self._means.upstreams):
            raise Forbidden("this client may use none of the providers that its scenario names")
        raise NoUpstreamConfigured("a scenario names providers of which none is enabled")

    def _selectable(self, usable: Sequence[Upstream]) -> list[Upstream]:
        selectable = []
        for upstream in usable:
            state = self._standing.state(upstream)
            if state is State.OPEN:
                self._exclude(upstream, "its breaker is open")
            elif state is State.HALF_OPEN and not self._standing.has_room(upstream):
                self._exclude(upstream, "its breaker is half-open, and all probes are under way")
            else:
                selectable.append(upstream)
        return selectable

    def _exclude(self, upstream: Upstream, reason: str) -> None:
        self._excluded.append(Exclusion(upstream, reason))

    def _affinity(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """Who issued the thinking of the history, or can go on with it (behaviour 7.2)."""
        if len(candidates) < _A_CHOICE or not self._asked.thinking:
            return None
        known = self._asked.issuers(self._means.lasting.store) or {}
        if not known and not self._asked.has_signatures:
            return None  # nobody has signed anything
        newest_first = [known.get(digest) for digest in reversed(self._asked.thinking)]
        families = {upstream.name: upstream.family for upstream in self._means.upstreams}
        return affinity(candidates, families, newest_first)

    def _kept(self, candidates: Sequence[Candidate], order: Sequence[Candidate]) -> list[Candidate]:
        """Those of the order; the others are not asked."""
        for candidate in candidates:
            if candidate not in order:
                upstream = next(u for u in self._means.upstreams if u.name == candidate.name)
                self._exclude(upstream, "routing.model_mapping sends this model elsewhere")
        return list(order)

    def _opens_s(self, usable: Sequence[Upstream]) -> float:
        """Until the first that is open turns half-open."""
        waits_s = (self._standing.opens_s(upstream) for upstream in usable)
        return min((wait_s for wait_s in waits_s if wait_s), default=1.0)
