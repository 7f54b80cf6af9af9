"""Everything before the status line: who is asked, in which order, and when it is enough.

Candidates are walked one after the other until an attempt commits, an answer is the client's own,
or the limits of behaviour 8.3 are reached; `routing.hedge_after_ms` alone asks two at a time
(`race`). Every attempt begins with the original body. After commit nothing here runs any more
(`stream.body` has the rest).

    route ► for each upstream: account (permit, key) ► attempt ► next, or commit
      └ every key taken ► a place in line (`queue`), and from the beginning
"""

from collections.abc import Callable
from dataclasses import replace

from relay.breaker.classify import Left, Next
from relay.errors import (
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
from relay.exchange.claiming import Claiming
from relay.exchange.exchange import Exchange
from relay.exchange.failure import Failure
from relay.exchange.inbound import COUNT_TOKENS
from relay.exchange.queue import Queue
from relay.exchange.race import Race
from relay.exchange.reply import Reply
from relay.exchange.route import Route, Routing
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream


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
        self._lasting = exchange.means.lasting
        self._routing = exchange.means.config.routing
        self._clock = exchange.means.lasting.clock
        self._asked = Asked(exchange.inbound, exchange.client.name)
        standing = Standing(exchange.means)
        self._route = route or Routing(exchange, self._asked, standing).route()
        self._claiming = Claiming(exchange, self._asked, standing, self._route)
        self._failures: list[Failure] = []
        self._given_up: set[str] = set()
        self._first_failure_at: float | None = None
        self._claimed: Callable[[], None] = lambda: None
        """Told of every key that was got, and of whatever made one needless."""

    def run(self) -> Reply:
        """Walk the route until somebody answers.

        Raises: as `serve`.
        """
        self._lasting.retries.add(self._routing.retry_budget)
        self._exchange.settlement.by_affinity = self._route.by_affinity
        with self._exchange.presence.waiting():
            reply = self._served()
        if isinstance(reply.body, tuple):  # complete as it is: there is no body to close
            self._exchange.settlement.end(reply.status, "complete")
        return reply

    def _served(self) -> Reply:
        if not self._routing.queue_ms:
            return self._walk()
        names = frozenset(upstream.name for upstream in self._route.order)
        queue = Queue(self._exchange, self._asked, self._lasting.lines.of(names))
        if queue.is_empty or self._needs_no_key:  # else whoever waits already comes first
            try:
                return self._walk()
            except KeysResting as full:
                if not self._claiming.is_worth_waiting:
                    raise
                queue.told(full)
        self._exchange = _uncoded(self._exchange)
        self._claimed = queue.served
        return queue.wait(self._walk_again)

    @property
    def _needs_no_key(self) -> bool:
        """Whether somebody on the route can answer without a key of ours."""
        client, inbound = self._exchange.client, self._exchange.inbound
        return any(
            not upstream.pool.total
            or upstream.passes(client) is not None
            or (inbound.path == COUNT_TOKENS and count_tokens.is_unknown(self._lasting, upstream))
            for upstream in self._route.order
        )

    def _walk_again(self) -> Reply:
        self._claiming.look_again()
        return self._walk()

    def _walk(self) -> Reply:
        """Keys that are set aside come only when nothing else is left (behaviour 9.6)."""
        for last_resort in (False, True):
            for upstream in self._route.order:
                if upstream.name in self._given_up:
                    continue
                outcome = self._ask(upstream, last_resort=last_resort)
                if isinstance(outcome, Reply):
                    return outcome
                if outcome is Next.NONE:
                    return self._left()
        return self._left()

    def _ask(self, upstream: Upstream, *, last_resort: bool) -> Reply | Next:
        """Try this upstream's keys. KEY: none of them is to be had; PROVIDER: leave it alone."""
        inbound = self._exchange.inbound
        if inbound.path == COUNT_TOKENS and count_tokens.is_unknown(self._lasting, upstream):
            return count_tokens.estimated(inbound)
        while self._may_try(upstream):
            outcome = self._try(upstream, last_resort=last_resort)
            if outcome is None:
                break
            if isinstance(outcome, Reply) or outcome is Next.NONE:
                return outcome
        return Next.KEY

    def _may_try(self, upstream: Upstream) -> bool:
        """One key more for a provider, while another provider could answer instead (8.3)."""
        tries = 2 if len(self._route.order) > 1 else max(upstream.pool.total, 1)
        return self._claiming.tries(upstream) < tries and upstream.name not in self._given_up

    def _try(self, upstream: Upstream, *, last_resort: bool) -> Reply | Next | None:
        """One attempt, or two at a time; None while there is no credential to make it with."""
        if not self._may_go_on():
            return Next.NONE
        account = self._claiming.account(upstream, last_resort=last_resort)
        if account is Next.PROVIDER:  # its breaker; another walk may find it otherwise
            return None
        if not isinstance(account, Account):
            return None
        if self._failures and not self._lasting.retries.spend(self._routing.retry_budget):
            account.dropped(sent=False)
            return Next.NONE
        self._claimed()
        if self._routing.hedge_after_ms and self._exchange.inbound.path != COUNT_TOKENS:
            return self._race(account)
        outcome = Attempt(self._exchange, self._asked, account, self._route).run()
        return outcome if isinstance(outcome, Reply) else self._failed(outcome)

    def _race(self, first: Account) -> Reply | Next:
        """The first attempt, and after a while of silence a second beside it."""
        race = Race(self._routing.hedge_after_ms / 1000)

        def attempt(account: Account) -> Reply | Failure:
            outcome = Attempt(self._exchange, self._asked, account, self._route, won=race.won).run()
            if isinstance(outcome, Failure):  # the other may take its time
                self._note_failure()
            return outcome

        outcome = race.run(attempt, first, lambda: self._second(first.upstream))
        if isinstance(outcome, Reply):
            return outcome
        nexts = [self._failed(failure) for failure in outcome]
        return Next.NONE if Next.NONE in nexts else nexts[-1]

    def _second(self, first: Upstream) -> Account | None:
        """Somebody else to ask beside `first`, if the limits of 8.3 have room for it."""
        budget = self._routing.retry_budget
        if self._lasting.retries.left(budget) < 1 or not self._may_go_on(beside=1):
            return None
        self._claiming.look_again()
        for upstream in self._route.order:
            if upstream is first or not self._may_try(upstream):
                continue
            account = self._claiming.account(upstream, last_resort=False)
            if not isinstance(account, Account):
                continue
            if self._lasting.retries.spend(budget):  # others may have come between
                return account
            account.dropped(sent=False)
            return None
        return None

    def _may_go_on(self, *, beside: int = 0) -> bool:
        """`beside`: how many attempts are going on."""
        if len(self._failures) + beside >= self._routing.max_attempts:
            return False
        if self._first_failure_at is None:
            return True
        waited_s = self._clock.monotonic() - self._first_failure_at
        return waited_s * 1000 <= self._routing.failover_timeout

    def _note_failure(self) -> None:
        if self._first_failure_at is None:
            self._first_failure_at = self._clock.monotonic()

    def _failed(self, failure: Failure) -> Next:
        self._note_failure()
        self._failures.append(failure)
        if failure.verdict.next is Next.PROVIDER:
            self._given_up.add(failure.account.upstream.name)
        self._claiming.look_again()
        return failure.verdict.next

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
            return self._claiming.error()
        last = self._failures[-1]
        name = last.account.upstream.name
        text = f"{name}: {last.reason}"
        if last.verdict.left is Left.TIMED_OUT:
            return UpstreamTimedOut(text)
        if last.verdict.left is Left.CREDENTIAL_REFUSED:
            return CredentialRefused(f"{name} refused the credential configured for it")
        return UpstreamFailed(text)


def _uncoded(exchange: Exchange) -> Exchange:
    """The same, but for a stream that pings may have to be written into."""
    inbound = exchange.inbound
    if not inbound.stream:
        return exchange
    headers = {**inbound.headers, "accept-encoding": "identity"}
    return replace(exchange, inbound=replace(inbound, headers=headers))
