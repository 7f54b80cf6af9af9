"""Race: two attempts at a time, where `routing.hedge_after_ms` asks for it (behaviour 8.1).

    first ──── silent for so long ────► second beside it
      └────────────┬──────────────────────┘
        whoever commits first wins; the other is cancelled, its lease and permit given back

Each attempt runs in a greenlet of its own; whoever waits for the race may be thrown out of it (a
client that left), and both end with it.
"""

from collections.abc import Callable
from typing import TypeAlias

import gevent
from gevent.event import Event

from relay.exchange.account import Account
from relay.exchange.failure import Failure
from relay.exchange.reply import Reply

Outcome: TypeAlias = Reply | Failure
Run: TypeAlias = Callable[[Account], Outcome]


class Lost(gevent.GreenletExit):
    """The other attempt has been committed."""


class Race:
    """Of one exchange. `run` is called once."""

    def __init__(self, hedge_after_s: float) -> None:
        self._hedge_after_s = hedge_after_s
        self._winner: Account | None = None
        self._ended = Event()
        self._running: dict[gevent.Greenlet[[Account], Outcome], Account] = {}

    def won(self, account: Account) -> None:
        """An attempt is about to be committed. Raises: `Lost`, when the other was before it."""
        if self._winner is not None and self._winner is not account:
            raise Lost
        self._winner = account

    def run(
        self, run: Run, first: Account, second: Callable[[], Account | None]
    ) -> Reply | list[Failure]:
        """The reply of whoever was first, or the failures of all.

        `second` opens the other account, if there is anybody to ask.
        """
        failures: list[Failure] = []
        try:
            self._begin(run, first)
            if not self._ended.wait(self._hedge_after_s):
                account = second()
                if account is not None:
                    self._begin(run, account)
            while self._running:
                self._ended.wait()
                self._ended.clear()
                for outcome in self._outcomes():
                    if isinstance(outcome, Reply):
                        return outcome
                    failures.append(outcome)
        finally:
            self._cancel()
        return failures

    def _begin(self, run: Run, account: Account) -> None:
        greenlet = gevent.spawn(run, account)
        self._running[greenlet] = account
        greenlet.rawlink(lambda _: self._ended.set())

    def _outcomes(self) -> list[Outcome]:
        done = [greenlet for greenlet in self._running if greenlet.dead]
        for greenlet in done:
            del self._running[greenlet]
        outcomes: list[object] = [greenlet.get(block=False) for greenlet in done]
        return [outcome for outcome in outcomes if isinstance(outcome, Reply | Failure)]

    def _cancel(self) -> None:
        """End what still runs. One that never began has an account nobody would close."""
        running = dict(self._running)
        gevent.killall(list(running), exception=Lost, block=True)
        for account in running.values():
            if account is not self._winner:
                account.dropped(sent=False)
