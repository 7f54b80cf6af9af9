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

from relay.breaker.classify import Next
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
        self._running: dict[gevent.Greenlet[[Run, Account], Outcome | Exception], Account] = {}

    def won(self, account: Account) -> None:
        """An attempt is about to be committed. Raises: `Lost`, when the other was before it."""
        if self._winner is account:
            return
        if self._winner is not None:
            raise Lost
        self._winner = account
        for greenlet, other in self._running.items():  # at once: to commit may take a while
            if other is not account:
                greenlet.kill(Lost, block=False)

    def run(
        self, run: Run, first: Account, second: Callable[[], Account | None]
    ) -> Reply | list[Failure]:
        """The reply of whoever was first, or the failures of all.

        `second` opens the other account, if there is anybody to ask. Raises: what `run` raised,
        where no reply came.
        """
        failures: list[Failure] = []
        faults: list[Exception] = []
        try:
            self._begin(run, first)
            if not self._ended.wait(self._hedge_after_s):
                self._hedge(run, second)
            while self._running:
                self._ended.wait()
                self._ended.clear()
                for outcome in self._outcomes():
                    match outcome:
                        case Reply():
                            return outcome
                        case Failure():
                            failures.append(outcome)
                        case _:
                            faults.append(outcome)
        finally:
            self._cancel()
        if faults:
            raise faults[0]
        return failures

    def _hedge(self, run: Run, second: Callable[[], Account | None]) -> None:
        """Ask somebody else, unless the first was committed while they were looked for.

        If it has failed meanwhile they are whom the walk would ask next.
        """
        account = None if self._winner is not None or self._ended.is_set() else second()
        if account is None:
            return
        if self._winner is not None or self._is_final:
            account.dropped(sent=False)
        else:
            self._begin(run, account)

    @property
    def _is_final(self) -> bool:
        """Whether one has ended so that nobody else is asked."""
        values: list[object] = [each.value for each in self._running if each.dead]
        return any(
            not isinstance(each, Failure) or each.verdict.next is Next.NONE for each in values
        )

    def _begin(self, run: Run, account: Account) -> None:
        greenlet = gevent.spawn(_outcome, run, account)
        self._running[greenlet] = account
        greenlet.rawlink(lambda _: self._ended.set())

    def _outcomes(self) -> list[Outcome | Exception]:
        outcomes: list[Outcome | Exception] = []
        for greenlet in [each for each in self._running if each.dead]:
            account = self._running.pop(greenlet)
            outcome: object = greenlet.get(block=False)
            if isinstance(outcome, Reply | Failure | Exception):
                outcomes.append(outcome)
            else:  # it has lost, perhaps before it began
                account.dropped(sent=False)
        return outcomes

    def _cancel(self) -> None:
        """End what still runs. One that never began has an account nobody would close."""
        running, self._running = self._running, {}
        try:
            gevent.killall(list(running), exception=Lost, block=True)
        finally:
            for account in running.values():
                if account is not self._winner:
                    account.dropped(sent=False)


def _outcome(run: Run, account: Account) -> Outcome | Exception:
    """A greenlet that raises is reported by gevent, whoever waits for it."""
    try:
        return run(account)
    except Exception as error:  # noqa: BLE001  raised again by the race
        return error
