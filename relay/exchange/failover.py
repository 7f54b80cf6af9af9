"""Everything before the status line: who is asked, in which order, and when it is enough.

Candidates are walked one after the other, never in parallel, until an attempt commits, an answer
is the client's own, or the limits of behaviour 8.3 are reached. Every attempt begins with the
original body. After commit nothing here runs any more (`stream.body` has the rest).

    route ► for each upstream: permit of its breaker ► lease of a key ► attempt ► next, or commit
"""

from relay.breaker.classify import Left, Next
from relay.errors import (
    AllUnhealthy,
    CredentialRefused,
    KeysResting,
    RelayError,
    UpstreamFailed,
    UpstreamTimedOut,
)
from relay.exchange import count_tokens
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.attempt import Attempt
from relay.exchange.credentials import Credentials
from relay.exchange.exchange import Exchange
from relay.exchange.expecting import expected
from relay.exchange.failure import Failure
from relay.exchange.inbound import COUNT_TOKENS
from relay.exchange.reply import Reply
from relay.exchange.route import Route, Routing
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.lease import Resting


def serve(exchange: Exchange) -> Reply:
    """The client's answer, committed.

    Raises: `RelayError` when nobody can give one; `ClientLeft` when nobody waits for it any more.
    """
    return Failover(exchange).run()


class Failover:
    """The walk of one exchange along its route."""

    def __init__(self, exchange: Exchange, route: Route | None = None) -> None:
        """`route`: another than the routing's."""
        self._exchange = exchange
        self._means = exchange.means
        self._lasting = exchange.means.lasting
        self._routing = exchange.means.config.routing
        self._clock = exchange.means.lasting.clock
        self._asked = Asked(exchange.inbound, exchange.client.name)
        self._standing = Standing(exchange.means)
        self._given_route = route
        self._credentials = Credentials(exchange)
        self._failures: list[Failure] = []
        self._waits_s: list[float] = []
        self._down_s: list[float] = []
        self._first_failure_at = 0.0

    def run(self) -> Reply:
        """Walk the route until somebody answers.

        Raises: as `serve`.
        """
        self._lasting.retries.add(self._routing.retry_budget)
        with self._exchange.presence.waiting():
            route = (
                self._given_route or Routing(self._exchange, self._asked, self._standing).route()
            )
            self._exchange.settlement.by_affinity = route.by_affinity
            reply = self._walk(route)
        if isinstance(reply.body, tuple):  # complete as it is: there is no body to close
            self._exchange.settlement.end(reply.status, "complete")
        return reply

    def _walk(self, route: Route) -> Reply:
        """Keys that are set aside come only when nothing else is left (behaviour 9.6)."""
        given_up: set[str] = set()
        for last_resort in (False, True):
            for upstream in route.order:
                if upstream.name in given_up:
                    continue
                outcome = self._ask(route, upstream, last_resort=last_resort)
                if isinstance(outcome, Reply):
                    return outcome
                if outcome is Next.NONE:
                    return self._left()
                if outcome is Next.PROVIDER:
                    given_up.add(upstream.name)
        return self._left()

    def _ask(self, route: Route, upstream: Upstream, *, last_resort: bool) -> Reply | Next:
        """Try this upstream's keys. KEY: none of them is to be had; PROVIDER: leave it alone."""
        inbound = self._exchange.inbound
        if inbound.path == COUNT_TOKENS and count_tokens.is_unknown(self._lasting, upstream):
            return count_tokens.estimated(inbound)
        # One key more for a provider, while another provider could answer instead (8.3).
        tries = 2 if len(route.order) > 1 else max(upstream.pool.total, 1)
        while self._credentials.tries(upstream) < tries:
            outcome = self._try(route, upstream, last_resort=last_resort)
            if outcome is None:
                break
            if isinstance(outcome, Reply) or outcome is not Next.KEY:
                return outcome
        return Next.KEY

    def _try(self, route: Route, upstream: Upstream, *, last_resort: bool) -> Reply | Next | None:
        """One attempt; None while there is no credential to make it with."""
        if not self._may_go_on():
            return Next.NONE
        account = self._account(route, upstream, last_resort=last_resort)
        if not isinstance(account, Account):
            return account
        if self._failures and not self._lasting.retries.spend(self._routing.retry_budget):
            account.dropped(sent=False)
            return Next.NONE
        outcome = Attempt(self._exchange, self._asked, account, route).run()
        if isinstance(outcome, Reply):
            return outcome
        self._failed(outcome)
        return outcome.verdict.next

    def _account(
        self, route: Route, upstream: Upstream, *, last_resort: bool
    ) -> Account | Next | None:
        """Leave to ask, and something to ask with; else as `_try`."""
        standing, lasting = self._standing, self._lasting
        permit = lasting.breakers.admit(
            upstream.name,
            standing.breaker(upstream),
            standing.now,
            self._means.config.health.circuit_breaker,
        )
        if permit is None:
            self._down_s.append(standing.opens_s(upstream))
            return Next.PROVIDER
        try:
            credential = self._credentials.take(
                upstream,
                standing,
                lambda: expected(self._exchange, self._asked, upstream, standing, route.model),
                preferred=route.key_digest if upstream is route.order[0] else b"",
                last_resort=last_resort,
            )
        except BaseException:
            permit.neutral()
            raise
        if credential is None or isinstance(credential, Resting):
            permit.neutral()
            if credential:
                self._waits_s.append(credential.wait_s)
            return None
        return Account(self._exchange, upstream, credential, permit, standing)

    def _may_go_on(self) -> bool:
        if not self._failures:
            return True
        waited_s = self._clock.monotonic() - self._first_failure_at
        return (
            len(self._failures) < self._routing.max_attempts
            and waited_s * 1000 <= self._routing.failover_timeout
        )

    def _failed(self, failure: Failure) -> None:
        if not self._failures:
            self._first_failure_at = self._clock.monotonic()
        self._failures.append(failure)
        self._standing = Standing(self._means)  # seconds may have passed

    def _left(self) -> Reply:
        """What the client gets when nobody is left: the last HTTP answer, else the last failure."""
        for failure in reversed(self._failures):
            if failure.answer is not None and failure.verdict.left is Left.ANSWER:
                return failure.reply(self._exchange)
        error = self._error()
        if self._failures and self._routing.debug:
            error.headers = self._failures[-1].debug_headers(self._exchange)
        raise error

    def _error(self) -> RelayError:
        if not self._failures:
            if self._down_s and not self._waits_s:
                return AllUnhealthy(min(self._down_s))
            return KeysResting(min(self._waits_s, default=1.0))
        last = self._failures[-1]
        name = last.account.upstream.name
        text = f"{name}: {last.reason}"
        if last.verdict.left is Left.TIMED_OUT:
            return UpstreamTimedOut(text)
        if last.verdict.left is Left.CREDENTIAL_REFUSED:
            return CredentialRefused(f"{name} refused the credential configured for it")
        return UpstreamFailed(text)
