"""One request on one connection, and its response.

    begin ──► send ──► head ──► read1 … b"" ──► connection back to the pool
                │        │        │
                └────────┴────────┴── anything else ──► connection closed

Whoever waits in here may be thrown out by an exception (a client that left); `close` then ends the
connection, because the exchange on it is unfinished. A request of which a byte may have been
written is never sent again.
"""

from collections.abc import Sequence
from typing import Final

from relay.clock import Clock
from relay.errors import UpstreamError, UpstreamIdle, UpstreamSilent
from relay.upstream.connection import RECORD_BYTES, Connection
from relay.upstream.line import Line
from relay.upstream.pool import Pool
from relay.wire import Timeouts

# How long a body is read without a wait, against the 5 us that one costs.
_TURN_S: Final = 0.001


class Call:
    """A request that is on its way. Whoever has it calls `close`, which closes the response too."""

    __slots__ = ("_line", "_response", "_timeouts", "sent_at")

    def __init__(
        self,
        connection: Connection,
        timeouts: Timeouts,
        *,
        bodyless: bool,
        pool: Pool,
        clock: Clock,
    ) -> None:
        self._line = Line(connection, bodyless=bodyless, pool=pool, clock=clock)
        self._timeouts = timeouts
        self._response: Response | None = None
        self.sent_at = 0.0
        """Monotonic seconds when the last byte of the request was written."""

    def send(self, head: bytes, body: bytes) -> None:
        """Write the request, or as much as the upstream takes before it answers.

        Raises: `NothingSent`; `UpstreamLost` when the upstream takes nothing for `idle_s`;
        `UpstreamBroken` for an early answer that is none. Closes the call when it raises.
        """
        line = self._line
        try:
            # One piece, so that a small request is one segment; a large body is not copied.
            if line.write(head + body[:RECORD_BYTES], self._timeouts.idle_s):
                line.write(memoryview(body)[RECORD_BYTES:], self._timeouts.idle_s)
        except BaseException:  # also a greenlet that is told to give up
            line.end()
            raise
        self.sent_at = line.clock.monotonic()

    def head(self, timeout_s: float | None = None) -> "Response | None":
        """The response once its headers are complete; None if that took longer than `timeout_s`.

        Raises: `UpstreamSilent` when they are not there `first_byte_s` after the last byte of the
        request, over all calls of this; `UpstreamLost` when the connection ends before;
        `UpstreamBroken` when what came is no HTTP.
        """
        if self._response is None and self._wait_for_head(timeout_s):
            self._response = Response(self._line, self._timeouts.idle_s)
        return self._response

    def close(self) -> None:
        """Give the connection back if the response is complete, else end it. Idempotent."""
        self._line.end()

    def _wait_for_head(self, timeout_s: float | None) -> bool:
        line = self._line
        silent_at = self.sent_at + self._timeouts.first_byte_s
        until = silent_at if timeout_s is None else line.clock.monotonic() + timeout_s
        while not line.parser.has_head:
            if line.pull(min(until, silent_at) - line.clock.monotonic()):
                continue
            now = line.clock.monotonic()
            if now >= silent_at:
                line.end()
                limit = f"{self._timeouts.first_byte_s:g} s"
                raise UpstreamSilent(f"{line.origin} sent no response headers within {limit}")
            if now >= until:
                return False
        return True


class Response:
    """A response whose headers are read. It is `relay.wire.UpstreamResponse`."""

    __slots__ = ("_heard_at", "_line", "_parser", "_turn_ends_at", "headers", "idle_s", "status")

    def __init__(self, line: Line, idle_s: float) -> None:
        self._line = line
        self._parser = line.parser
        self.idle_s = idle_s
        self._heard_at = line.clock.monotonic()
        self._turn_ends_at = self._heard_at + _TURN_S
        self.status: int = line.parser.status
        self.headers: Sequence[tuple[str, str]] = line.parser.headers

    def read1(self, timeout_s: float | None = None) -> bytes | None:
        """As the protocol says. With `timeout_s=0` it looks and never switches greenlets."""
        body = self._parser.take()
        if self._parser.is_complete:
            self._line.end()  # before the body is used: the connection can serve the next already
            return body
        return body or self._next(timeout_s)

    def poll(self) -> bytes | None:
        """As `read1(0)`, for a loop that calls it whenever the descriptor is readable."""
        if self._parser.is_complete:
            return self.read1(0)
        data = self.look()
        return None if data is None else self.parse(data)

    def look(self) -> bytes | None:
        """The bytes that `poll` would parse. Each goes to `parse` before anything else is read, but
        for whole chunks that arrive where `at_border` is true: to leave them out changes nothing.
        """
        return self._line.look()

    def raw_fileno(self) -> int:
        """The descriptor to read them from instead, -1 under TLS. Errors of that go to `lost`, the
        time of the last byte left out to `heard`.
        """
        return self._line.raw_fileno()

    def lost(self, error: OSError) -> UpstreamError:
        """The connection failed while somebody else read from it: what `look` would have raised."""
        return self._line.lost(error)

    def heard(self, at: float) -> None:
        """Something was heard at this monotonic time."""
        self._heard_at = max(self._heard_at, at)

    def parse(self, data: bytes) -> bytes | None:
        """What `poll` would return for these bytes."""
        self._heard_at = self._line.clock.monotonic()
        self._line.parse(data)
        body = self._parser.take()
        if self._parser.is_complete:
            self._line.end()
            return body
        return body or None

    @property
    def at_border(self) -> bool:
        """The body comes in chunks, and its next byte is the first of a chunk."""
        return self._parser.at_border

    def fileno(self) -> int:
        """The descriptor to watch for more of the body, -1 once there is none."""
        return self._line.fileno()

    def close(self) -> None:
        """Give the connection back if the response is complete, else end it."""
        self._line.end()

    def _next(self, timeout_s: float | None) -> bytes | None:
        line, parser = self._line, self._parser
        idle_at = self._heard_at + self.idle_s
        now = line.clock.monotonic()
        until = idle_at if timeout_s is None else now + timeout_s
        # What goes on arriving is often there already; but who never waits lets nobody else run.
        limit_s = 0.0 if now < self._turn_ends_at else min(until, idle_at) - now
        while True:
            heard = line.pull(limit_s)
            now = line.clock.monotonic()
            if limit_s > 0:
                self._turn_ends_at = now + _TURN_S
            if heard:
                body = parser.take()
                if body or parser.is_complete:
                    break
            elif now >= idle_at:
                line.end()
                raise UpstreamIdle(f"{line.origin} sent nothing for {self.idle_s:g} s")
            elif now >= until:
                return None
            limit_s = min(until, idle_at) - now
        self._heard_at = now
        if parser.is_complete:
            line.end()
        return body
