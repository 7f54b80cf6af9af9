"""Queue: wait a while for room, where every usable key is merely taken (behaviour 9.7).

    every key taken ► a place in line ► its turn: walk the route ► a key: the next one's turn
                         │                      └ still nothing: wait on
                         └ a stream that has waited too long for silence ► `200`, pings (`held`)

Nothing has been sent while an exchange stands here, and no breaker moves.
"""

import logging
from collections.abc import Callable
from typing import Final

from relay.errors import KeysResting, RelayError
from relay.exchange.asked import Asked
from relay.exchange.committed import failure_mode
from relay.exchange.exchange import Exchange
from relay.exchange.held import HeldBody
from relay.exchange.line import Line, Ticket
from relay.exchange.reply import Reply
from relay.upstream.headers import response_headers

log = logging.getLogger("relay.exchange")

Walk = Callable[[], Reply]

# Room comes when a window moves on, or when another exchange has used less than it took: that may
# be on another machine, so whoever is first in line looks.
_LOOK_S: Final = 0.25
_SOON_S: Final = 1.0


class Queue:
    """The wait of one exchange."""

    def __init__(self, exchange: Exchange, asked: Asked, line: Line) -> None:
        self._exchange = exchange
        self._asked = asked
        self._line = line
        self._ticket: Ticket | None = None
        self._config = exchange.means.config.routing
        self._clock = exchange.means.lasting.clock

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits where this one would."""
        return not len(self._line)

    def told(self, full: KeysResting) -> None:
        """The exchange has looked, and heard when there may be room."""
        self._line.room_at = self._clock.monotonic() + (full.retry_after_s or _SOON_S)

    def served(self) -> None:
        """It has got a key, or needs none any more: whoever is next may look."""
        if self._ticket is not None:
            self._line.leave(self._ticket, served=True)

    def wait(self, walk: Walk) -> Reply:
        """Stand in line, and `walk` when it is this one's turn; `walk` calls `served`.

        Raises: `KeysResting` at once when too many wait, or after `queue_ms`; else as `walk`.
        """
        if self._exchange.means.lasting.lines.waiting >= self._config.queue_size:
            raise self._full()
        ticket = self._line.join(self._asked.session, is_sub_agent=self._asked.is_sub_agent)
        self._ticket = ticket
        self._exchange.settlement.owes(lambda: self._line.leave(ticket, served=False))
        now = self._clock.monotonic()
        until = now + self._config.queue_ms / 1000
        silent_until = now + self._config.gate.first_event_ms / 1000
        may_ping = self._exchange.inbound.stream and silent_until < until
        try:
            reply = self._stand(ticket, walk, silent_until if may_ping else until)
        except BaseException:
            self._line.leave(ticket, served=False)
            raise
        if reply is not None:
            return reply
        if not may_ping:
            self._line.leave(ticket, served=False)
            raise self._full()
        return self._held(lambda: self._outcome(ticket, walk, until))

    def _stand(self, ticket: Ticket, walk: Walk, until: float) -> Reply | None:
        """Until `until`; None: still standing."""
        while (left_s := until - self._clock.monotonic()) > 0:
            if self._line.next() is ticket:
                try:
                    reply = walk()
                except KeysResting as full:
                    self.told(full)
                else:
                    self.served()
                    return reply
            ticket.turn.clear()
            ticket.turn.wait(min(_LOOK_S, left_s))
        return None

    def _outcome(self, ticket: Ticket, walk: Walk, until: float) -> Reply | RelayError:
        """What becomes of a stream that is held meanwhile."""
        try:
            return self._stand(ticket, walk, until) or self._full()
        except RelayError as error:
            return error
        except Exception:  # as the error handlers of `web`, which do not see it
            log.exception("a fault of ours")
            return RelayError("the relay failed to handle this request")
        finally:
            self._line.leave(ticket, served=False)

    def _held(self, outcome: Callable[[], Reply | RelayError]) -> Reply:
        """The client hears pings from now on; what fails afterwards is an error event."""
        exchange = self._exchange
        headers = response_headers([("content-type", "text/event-stream")], pooled=False)
        exchange.settlement.committed()
        body = HeldBody(
            outcome,
            presence=exchange.presence,
            settlement=exchange.settlement,
            ping_interval_s=exchange.means.config.server.ping_interval_ms / 1000,
            failure=failure_mode(exchange),
        )
        exchange.settlement.owes(body.close)
        return Reply(200, headers, body)

    def _full(self) -> KeysResting:
        """What the client is told when the wait was for nothing."""
        return KeysResting(max(self._line.room_at - self._clock.monotonic(), _SOON_S))
