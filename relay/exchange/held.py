"""Held: the body of a stream that was committed while it still waited for room (behaviour 9.7).

    pings ──► the exchange is served ──► that reply's own body
         └──► it fails ──► an `error` event of its type, then the cut

The walk goes on in a greenlet of its own, so that pings are in time whatever it waits for.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, Self

import gevent

from relay.errors import RelayError, StreamCut
from relay.exchange.answer import MAX_ANSWER_BYTES, MAX_ANSWER_S
from relay.exchange.late import ERROR_TYPES
from relay.exchange.reply import Reply
from relay.exchange.settle import Settlement
from relay.messages.events import PING, error_event, error_report
from relay.stream import decode
from relay.stream.disconnect import Presence
from relay.stream.drain import Draining
from relay.stream.gate import media_type

_OK: Final = 200


class HeldBody:
    """For any WSGI server, as `stream.body.Body` is."""

    def __init__(
        self,
        outcome: Callable[[], Reply | RelayError],
        *,
        presence: Presence,
        settlement: Settlement,
        ping_interval_s: float,
        failure: Literal["cut", "event"],
    ) -> None:
        """`outcome` waits, and raises nothing; it runs outside of this greenlet.

        `failure`: how the stream ends when the worker does.
        """
        self._presence = presence
        self._settlement = settlement
        self._ping_interval_s = ping_interval_s
        self._failure = failure
        self._standing = gevent.spawn(outcome)
        self._body: Iterator[bytes] = iter(())
        self._decoder: decode.Decoder = decode.Identity()
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
        outcome = self._standing.value
        close = getattr(outcome.body, "close", None) if isinstance(outcome, Reply) else None
        if close is not None:
            close()
        self._presence.stop()
        self._settlement.end(_OK, "client_left")  # what ended before has said so

    # Each step yields one piece and names the next.

    def _first(self) -> bytes:
        self._step = self._wait
        return PING

    def _wait(self) -> bytes:
        try:
            with self._presence.waiting():
                self._standing.join(self._ping_interval_s)
        except Draining as draining:
            return self._drained(draining)
        if not self._standing.dead:
            return PING
        outcome = self._standing.get()
        if isinstance(outcome, Reply):
            return self._served(outcome)
        return self._fail(outcome.type, str(outcome))

    def _served(self, reply: Reply) -> bytes:
        """Go on with a stream; whatever else the answer is comes too late to be shown."""
        headers = {name.lower(): value for name, value in reply.headers}
        if reply.status != _OK or isinstance(reply.body, tuple):
            return self._refuse(reply)
        if media_type(headers.get("content-type", "")) != "text/event-stream":
            return self._fail("api_error", "the upstream answered with no stream")
        # It was asked for none, but the status line that would name one is long gone.
        decoder = decode.decoder(headers.get("content-encoding", ""))
        if decoder is None:
            return self._fail("api_error", "the upstream answered in an unknown content coding")
        self._decoder = decoder
        self._body = iter(reply.body)
        self._step = self._relay
        return self._relay()

    def _relay(self) -> bytes:
        while True:
            piece = next(self._body)
            try:
                plain = self._decoder.feed(piece)
            except decode.DecodeFailed as error:
                raise StreamCut(str(error)) from error
            if plain:
                return plain

    def _refuse(self, reply: Reply) -> bytes:
        """An answer that is no stream: what it says, as an event."""
        document = gevent.with_timeout(MAX_ANSWER_S, _beginning, reply.body, timeout_value=b"")
        report = error_report(document)
        default = ERROR_TYPES.get(reply.status, "api_error")
        if report is None:
            return self._fail(default, f"the upstream answered {reply.status}")
        return self._fail(report.type or default, report.message)

    def _drained(self, draining: Draining) -> bytes:
        self._settlement.end(_OK, "drained")
        if self._failure == "cut":
            return self._cut()
        self._step = self._cut
        return error_event(draining.type, str(draining))

    def _fail(self, error_type: str, message: str) -> bytes:
        self._settlement.end(_OK, "refused")
        self._step = self._cut
        return error_event(error_type, message)

    def _cut(self) -> bytes:
        raise StreamCut("the stream was never served")


def _beginning(body: Iterable[bytes]) -> bytes:
    """An error's body, as far as `answer.keep` would read it."""
    pieces: list[bytes] = []
    size = 0
    with contextlib.suppress(StreamCut):
        for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                break
    return b"".join(pieces)
