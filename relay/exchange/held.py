"""Held: the body of a stream that was committed while it still waited for room (behaviour 9.7).

    pings ──► the exchange is served ──► that reply's own body
         └──► it fails ──► an `error` event of its type, then the cut

The walk goes on in a greenlet of its own, so that pings are in time whatever it waits for.
"""

from collections.abc import Callable
from typing import Final, Self

import gevent

from relay.errors import RelayError, StreamCut
from relay.exchange.reply import Reply
from relay.exchange.settle import Settlement
from relay.messages.events import PING, error_event, error_report
from relay.stream.disconnect import Presence

_OK: Final = 200


class HeldBody:
    """For any WSGI server, as `stream.body.Body` is."""

    def __init__(
        self,
        stand: Callable[[], Reply],
        *,
        presence: Presence,
        settlement: Settlement,
        ping_interval_s: float,
    ) -> None:
        """`stand` waits, and returns the reply in the end; it runs outside of this greenlet."""
        self._presence = presence
        self._settlement = settlement
        self._ping_interval_s = ping_interval_s
        self._standing = gevent.spawn(stand)
        self._reply: Reply | None = None
        self._pieces = iter(())
        self._step: Callable[[], bytes] = self._first
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return self._step()

    def close(self) -> None:
        """End whatever runs for it. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._standing.kill()
        reply = self._reply or self._standing.value
        close = getattr(reply.body, "close", None) if isinstance(reply, Reply) else None
        if close is not None:
            close()
        self._presence.stop()
        self._settlement.end(_OK, "client_left")  # what ended before has said so

    def _first(self) -> bytes:
        self._step = self._wait
        return PING

    def _wait(self) -> bytes:
        with self._presence.waiting():
            self._standing.join(self._ping_interval_s)
        if not self._standing.dead:
            return PING
        try:
            reply = self._standing.get()
        except RelayError as error:
            return self._fail(error.type, str(error))
        self._reply = reply
        if isinstance(reply.body, tuple) or reply.status != _OK:
            return self._refuse(reply)
        body = iter(reply.body)
        self._step = lambda: next(body)
        return self._step()

    def _refuse(self, reply: Reply) -> bytes:
        """An answer that is no stream: what it says, as an event."""
        document = b"".join(reply.body)
        report = error_report(document)
        if report is None:
            return self._fail("api_error", f"the upstream answered {reply.status}")
        return self._fail(report.type or "api_error", report.message)

    def _fail(self, error_type: str, message: str) -> bytes:
        self._settlement.end(_OK, "refused")
        self._step = self._cut
        return error_event(error_type, message)

    def _cut(self) -> bytes:
        raise StreamCut("the stream was never served")
