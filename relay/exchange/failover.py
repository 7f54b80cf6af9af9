"""Everything before the status line: who is asked, in which order, and when it is enough.

Candidates are walked one after the other, never in parallel, until an attempt commits, an answer
is the client's own, or the limits of behaviour 8.3 are reached. Every attempt begins with the
original body. After commit nothing here runs any more (`stream.body` has the rest).
"""

from relay.breaker.classify import Left, Next
from relay.errors import (
    CredentialRefused,
    Forbidden,
    KeysResting,
    RelayError,
    UpstreamFailed,
    UpstreamTimedOut,
)
from relay.exchange import count_tokens
from relay.exchange.attempt import Attempt
from relay.exchange.credentials import Credentials
from relay.exchange.exchange import Exchange
from relay.exchange.failure import Failure
from relay.exchange.inbound import COUNT_TOKENS
from relay.exchange.reply import Reply
from relay.exchange.upstream import Upstream
from relay.keys.pool import Resting
from relay.routing.route import by_priority


def serve(exchange: Exchange) -> Reply:
    """The client's answer, committed.

    Raises: `RelayError` when nobody can give one; `ClientLeft` when nobody waits for it any more.
    """
    usable = [upstream for upstream in exchange.means.upstreams if upstream.serves(exchange.client)]
    if not usable:
        raise Forbidden("this client may use none of the configured providers")
    route = by_priority(usable, lambda upstream: upstream.config.priority)
    return Failover(exchange, route).run()


class Failover:
    """The walk of one exchange along its route."""

    def __init__(self, exchange: Exchange, route: list[Upstream]) -> None:
        self._exchange = exchange
        self._route = route
        self._routing = exchange.means.config.routing
        self._clock = exchange.means.lasting.clock
        self._credentials = Credentials(exchange)
        self._failures: list[Failure] = []
        self._waits_s: list[float] = []
        self._first_failure_at = 0.0

    def run(self) -> Reply:
        """Walk the route until somebody answers.

        Raises: as `serve`.
        """
        with self._exchange.presence.waiting():
            reply = self._walk()
        if isinstance(reply.body, tuple):  # complete as it is: there is no body to close
            self._exchange.settlement.end(reply.status, "complete")
        return reply

    def _walk(self) -> Reply:
        """Keys that are set aside come only when nothing else is left (behaviour 9.6)."""
        given_up: set[str] = set()
        for last_resort in (False, True):
            for upstream in self._route:
                if upstream.name in given_up:
                    continue
                outcome = self._ask(upstream, last_resort=last_resort)
                if isinstance(outcome, Reply):
                    return outcome
                if outcome is Next.NONE:
                    return self._left()
                if outcome is Next.PROVIDER:
                    given_up.add(upstream.name)
        return self._left()

    def _ask(self, upstream: Upstream, *, last_resort: bool) -> Reply | Next:
        """Try this upstream's keys. KEY: none of them is to be had; PROVIDER: leave it alone."""
        lasting, inbound = self._exchange.means.lasting, self._exchange.inbound
        if inbound.path == COUNT_TOKENS and count_tokens.is_unknown(lasting, upstream):
            return count_tokens.estimated(inbound)
        # One key more for a provider, while another provider could answer instead (8.3).
        tries = 2 if len(self._route) > 1 else max(upstream.pool.total, 1)
        while self._credentials.tries(upstream) < tries:
            outcome = self._try(upstream, last_resort=last_resort)
            if outcome is None:
                break
            if isinstance(outcome, Reply) or outcome is not Next.KEY:
                return outcome
        return Next.KEY

    def _try(self, upstream: Upstream, *, last_resort: bool) -> Reply | Next | None:
        """One attempt; None while there is no credential to make it with."""
        if not self._may_go_on():
            return Next.NONE
        credential = self._credentials.take(upstream, last_resort=last_resort)
        if isinstance(credential, Resting):
            self._waits_s.append(credential.wait_s)
            return None
        if credential is None:
            return None
        outcome = Attempt(self._exchange, upstream, credential).run()
        if isinstance(outcome, Reply):
            return outcome
        self._failed(outcome)
        return outcome.verdict.next

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
            return KeysResting(min(self._waits_s, default=1.0))
        last = self._failures[-1]
        text = f"{last.upstream.name}: {last.reason}"
        if last.verdict.left is Left.TIMED_OUT:
            return UpstreamTimedOut(text)
        if last.verdict.left is Left.CREDENTIAL_REFUSED:
            return CredentialRefused(
                f"{last.upstream.name} refused the credential configured for it"
            )
        return UpstreamFailed(text)
