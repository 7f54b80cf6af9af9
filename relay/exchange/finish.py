"""Finish: what a committed body means in the end, for its key, its provider and its session.

    whole ──► everything is accounted for, before the client has it all
    closed ─► the same if the body broke off or was left; one log line

A client's next request may come at once, and to another worker, so a message that is complete is
accounted for before its last bytes go out. Where a step of the store waits for a network that would
cost the client the wait: there it is done beside.
"""

import _thread
import logging
from typing import Final

from relay.breaker import classify
from relay.breaker.classify import Verdict
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import MESSAGES
from relay.exchange.judging import Judging
from relay.exchange.late import LateResponse
from relay.exchange.learning import Learning
from relay.messages.usage import Usage
from relay.stream.body import Ending, ReadsBytes
from relay.stream.watch import Watch

log = logging.getLogger("relay.exchange")

_OK: Final = range(200, 300)


class Finish:
    """Of one committed body. The first of its methods that is called accounts for it."""

    def __init__(  # noqa: PLR0913, PLR0917  what meets at the end
        self,
        exchange: Exchange,
        asked: Asked,
        account: Account,
        source: ReadsBytes,
        status: int,
        watch: Watch,
    ) -> None:
        self._exchange = exchange
        self._asked = asked
        self._account = account
        self._source = source
        self._status = status
        self._watch = watch
        self._has_begun = False

    def whole(self) -> None:
        """The body is complete."""
        self._begin(Ending.COMPLETE, self._watch.usage)

    def closed(self, ending: Ending, usage: Usage) -> None:
        """The server has let go of the body."""
        try:
            self._begin(ending, usage)
        finally:
            self._exchange.settlement.end(self._status, ending.name.lower(), usage)

    def dropped(self) -> None:
        """Nobody has taken the body."""
        if not self._has_begun:
            self._has_begun = True
            self._account.dropped()

    def _begin(self, ending: Ending, usage: Usage) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        if self._exchange.means.lasting.store.waits:
            # Under gevent, a greenlet. Not a `Thread`, which waits for its start.
            _thread.start_new_thread(self._beside, (ending, usage))
        else:
            self._safely(ending, usage)

    def _beside(self, ending: Ending, usage: Usage) -> None:
        try:
            self._safely(ending, usage)
        except Exception:
            log.exception("an exchange was not accounted for")

    def _safely(self, ending: Ending, usage: Usage) -> None:
        try:
            self._account_for(ending, usage)
        finally:
            self._account.dropped()  # which does nothing after any other end

    def _account_for(self, ending: Ending, usage: Usage) -> None:
        account, status = self._account, self._status
        late = self._source.refused if isinstance(self._source, LateResponse) else None
        if late is not None and late.response.status not in _OK:
            response = late.response
            judging = Judging(self._exchange.means, account)
            verdict = judging.answer(response.status, response.headers, late.answer)
            account.failed(verdict, f"answered {response.status}", response.headers)
            return
        if status not in _OK:
            verdict = classify.of_status(status, ours=account.credential.is_ours)
            account.failed(verdict, f"answered {status}")
            return
        if self._exchange.inbound.path == MESSAGES:
            # Of one that broke off, too: the next turn may go on with the blocks it had finished.
            Learning(self._exchange, self._asked, account).ended(self._watch, usage)
        if ending is Ending.COMPLETE:
            account.ended(classify.GOOD, "", usage)
        else:
            verdict = self._verdict(ending)
            account.ended(verdict, f"the answer ended {ending.name.lower()}", usage)

    def _verdict(self, ending: Ending) -> Verdict:
        """What a body that began as a success, and ended so, means (behaviour 10.1)."""
        match ending:
            case Ending.CLIENT_LEFT | Ending.DRAINED:
                return classify.CLIENT_LEFT
            case Ending.ERRORED if (error := self._watch.error) is not None:
                judging = Judging(self._exchange.means, self._account)
                return judging.event(error.type, error.message)
            case _:
                return classify.of_unusable()
