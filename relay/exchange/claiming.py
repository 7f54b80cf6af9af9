"""Claiming: leave to ask an upstream, and something to ask it with.

permit of its breaker ► credential: the client's own, or a lease of a key ► account
"""

from collections.abc import Callable
from typing import Final

from relay.breaker.classify import Next
from relay.errors import AllUnhealthy, KeysResting, RelayError
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.credentials import Credentials
from relay.exchange.exchange import Exchange
from relay.exchange.expecting import expected
from relay.exchange.route import Route
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.lease import Resting
from relay.limits.kinds import NOTHING, Amounts

_SOON_S: Final = 1.0


class Claiming:
    """Of one exchange; remembers why there was nothing to be had."""

    def __init__(self, exchange: Exchange, asked: Asked, standing: Standing, route: Route) -> None:
        self._exchange = exchange
        self._asked = asked
        self._route = route
        self._standing = standing
        self._first = route.order[0]
        self._credentials = Credentials(exchange)
        self._rests: list[Resting] = []
        self._down_s: list[float] = []

    def tries(self, upstream: Upstream) -> int:
        """How often this upstream has been given a credential."""
        return self._credentials.tries(upstream)

    def look_again(self) -> None:
        """Read anew what the store says: seconds may have passed."""
        self._standing = Standing(self._exchange.means)
        self._rests.clear()
        self._down_s.clear()

    def account(self, upstream: Upstream, *, last_resort: bool) -> Account | Next | None:
        """An open account; None: no credential is to be had; PROVIDER: its breaker lets nobody."""
        standing, means = self._standing, self._exchange.means
        permit = means.lasting.breakers.admit(
            upstream.name,
            standing.breaker(upstream),
            standing.now,
            means.config.health.circuit_breaker,
        )
        if permit is None:
            self._down_s.append(standing.opens_s(upstream) or _SOON_S)
            return Next.PROVIDER
        try:
            credential = self._credentials.take(
                upstream,
                standing,
                self._amounts(upstream),
                preferred=self._route.key_digest if upstream is self._first else b"",
                last_resort=last_resort,
            )
        except BaseException:
            permit.neutral()
            raise
        if isinstance(credential, Resting):
            self._rests.append(credential)
        if credential is None or isinstance(credential, Resting):
            permit.neutral()
            return None
        try:
            return Account(self._exchange, upstream, credential, permit, standing)
        except BaseException:  # over a network an account, too, takes its time to open
            try:
                if credential.lease is not None:
                    credential.lease.settle(NOTHING)
            finally:
                permit.neutral()
            raise

    @property
    def is_worth_waiting(self) -> bool:
        """Whether some key merely lacks room, or rests for no longer than `queue_ms`."""
        queue_s = self._exchange.means.config.routing.queue_ms / 1000
        return any(each.is_taken or each.wait_s <= queue_s for each in self._rests)

    def error(self) -> RelayError:
        """What the client is told when nothing was sent."""
        if self._down_s and not self._rests:
            return AllUnhealthy(min(self._down_s))
        return KeysResting(min((each.wait_s for each in self._rests), default=_SOON_S))

    def _amounts(self, upstream: Upstream) -> Callable[[], Amounts]:
        return lambda: expected(
            self._exchange, self._asked, upstream, self._standing, self._route.model
        )
