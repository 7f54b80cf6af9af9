"""Queue: wait a while for room, where every usable key is merely taken (behaviour 9.7).

    every key taken ► a place in line ► its turn: walk the route ► served, or wait on
                         └ a stream that has waited too long for silence ► `200`, pings (`held`)

Nothing has been sent while an exchange stands here, and no breaker moves.
"""

from collections.abc import Callable
from typing import Final

from relay.errors import KeysResting
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.held import HeldBody
from relay.exchange.line import Line, Ticket
from relay.exchange.reply import Reply
from relay.upstream.headers import response_headers

# Room comes when a window moves on, or when another exchange has used less than it took: that may
# be on another machine, so whoever is first in line looks.
_LOOK_S: Final = 0.25


class Queue:
    """The wait of one exchange."""

    def __init__(self, exchange: Exchange, asked: Asked, line: Line) -> None:
        self._exchange = exchange
        self._asked = asked
        self._line = line
        self._config = exchange.means.config.routing
        self._clock = exchange.means.lasting.clock
        self._full = KeysResting(1.0)

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits where this one would."""
        return not len(self._line)

    def wait(self, walk: Callable[[], Reply]) -> Reply:
        """Stand in line, and `walk` when it is this one's turn.

        Raises: `KeysResting` at once when too many wait, or after `queue_ms`; else as `walk`.
        """
        lines = self._exchange.means.lasting.lines
        if lines.waiting >= self._config.queue_size:
            raise self._full
        ticket = self._line.join(self._asked.session, is_sub_agent=self._asked.is_sub_agent)
        until = self._clock.monotonic() + self._config.queue_ms / 1000
        silent_until = self._clock.monotonic() + self._config.gate.first_event_ms / 1000
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
            raise self._full
        return self._committed(ticket, walk, until)

    def _stand(self, ticket: Ticket, walk: Callable[[], Reply], until: float) -> Reply | None:
        """Until `until`; None: still standing."""
        while (left_s := until - self._clock.monotonic()) > 0:
            if self._line.next() is ticket:
                try:
                    reply = walk()
                except KeysResting as full:
                    self._full = full
                else:
                    self._line.leave(ticket, served=True)
                    return reply
            ticket.turn.clear()
            ticket.turn.wait(min(_LOOK_S, left_s))
        return None

    def _committed(self, ticket: Ticket, walk: Callable[[], Reply], until: float) -> Reply:
        """The client hears pings from now on; what fails afterwards is an error event."""

        def stand() -> Reply:
            try:
                reply = self._stand(ticket, walk, until)
            except BaseException:
                self._line.leave(ticket, served=False)
                raise
            if reply is None:
                self._line.leave(ticket, served=False)
                raise self._full
            return reply

        config = self._exchange.means.config
        headers = response_headers([("content-type", "text/event-stream")], pooled=False)
        self._exchange.settlement.committed()
        body = HeldBody(
            stand,
            presence=self._exchange.presence,
            settlement=self._exchange.settlement,
            ping_interval_s=config.server.ping_interval_ms / 1000,
        )
        self._exchange.settlement.owes(body.close)
        return Reply(200, headers, body)
