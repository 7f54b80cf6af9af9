"""Body: everything after the status line. The upstream's bytes as they come, seen by the taps,
owned until `close`.

    held bytes ► each read at once ► message_stop: the end, a moment later
                  │      └ silence: a ping, between two events
                  └ broken: an error event if asked for and possible, then the cut

A body that breaks never ends cleanly, and no `message_stop` is made up: `StreamCut` takes the
client's connection down without the final chunk. A class, because the `finally` of a generator
that was never started does not run, and a client may leave before the first read.
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Literal, Protocol, Self, cast

from relay.errors import ClientLeft, StreamCut, UpstreamBroken, UpstreamError, UpstreamIdle
from relay.messages.events import PING, error_event
from relay.messages.usage import Usage
from relay.stream.disconnect import Presence
from relay.stream.drain import Draining
from relay.stream.gate import Committed
from relay.stream.pump import Outlet, Pump, Readable
from relay.stream.tap import GuardedTap, Tap

log = logging.getLogger("relay")

# How long the end of the body waits for the upstream's own, which mostly comes with the same
# packet or right behind it: a connection read to its end serves again.
LINGER_S: Final = 0.02
# A coded body is whole only with its trailer, which may come by itself.
LINGER_CODED_S: Final = 1.0


class Ending(Enum):
    """How a body ended."""

    COMPLETE = auto()
    ERRORED = auto()
    """The upstream put an error event of its own into the stream."""
    REFUSED = auto()
    """The upstream's answer came after commit, and it was a refusal (`LateRefusal`)."""
    BROKEN = auto()
    SILENT = auto()
    CLIENT_LEFT = auto()
    DRAINED = auto()


class LateRefusal(Exception):
    """A source's answer, when the client's status line is long gone: no stream will come."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


class ReadsBytes(Protocol):
    """Where a body comes from: an `UpstreamResponse`, or what stands in for a late one."""

    def read1(self, timeout_s: float | None = None) -> bytes | None: ...

    def close(self) -> None: ...


class Body:
    """The response body of one exchange, for any WSGI server."""

    def __init__(  # noqa: PLR0913  what it joins is joined here and nowhere else
        self,
        *,
        source: ReadsBytes,
        committed: Committed,
        ping_interval_s: float,
        failure: Literal["cut", "event"],
        presence: Presence,
        outlet: Outlet | None = None,
        on_close: Callable[[Ending, Usage], None],
        on_whole: Callable[[], None] | None = None,
        taps: Sequence[Tap] = (),
    ) -> None:
        """Own `source` and `presence` from here on; `on_close` is called exactly once.

        `on_whole`: called, and may wait, when the message is complete: before its last bytes go
        out, or right after them where the pump wrote them.

        `outlet`: where the pump may write, if the source is `Readable` and the body of no
        announced length.
        """
        self._held = committed.held
        self._complete = committed.complete
        self._watch = committed.watch
        self._source = source
        self._ping_interval_s = ping_interval_s
        self._failure = failure
        self._presence = presence
        self.waiting = presence.waiting()
        self._on_close = on_close
        self._on_whole = on_whole
        self._taps = [GuardedTap(tap) for tap in taps]
        self._flows = True
        self._pump: Pump | None = None
        if outlet is not None and hasattr(source, "poll"):  # `isinstance` would take 20 µs
            readable = cast("Readable", source)
            self._pump = Pump(readable, outlet, self, ping_interval_s=ping_interval_s)
        self._step: Callable[[], bytes] = self._open
        self._ending: Ending | None = None
        self._closed = self._is_direct = False

    def direct(self) -> None:
        """The server itself iterates this, and sends it in chunks: the pump may write, too."""
        self._is_direct = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return self._step()

    def close(self) -> None:
        """Give everything back, once. The server calls this on every ending; it never raises.

        A body that is closed before its end, for no other reason, was left by its client.
        """
        if self._closed:
            return
        self._closed = True
        self._step = self._end
        self._presence.stop()  # first: afterwards the descriptor may be another client's
        self._source.close()
        try:
            self._on_close(self._ending or Ending.CLIENT_LEFT, self._watch.usage)
        except Exception:  # the server would take it for a fault of the response
            log.exception("settling failed")

    # Each step yields one piece and names the next.

    def _open(self) -> bytes:
        self._step = self._relay
        if not self._held:
            return self._first_piece()
        held, self._held = self._held, b""
        for tap in self._taps:
            tap.feed(held)
        self._look_for_the_end()
        return held

    def _first_piece(self) -> bytes:
        """The server sends the status line with the first piece: a stream needs one at once."""
        if not self._watch.events:
            return self._relay()
        return PING if self._watch.writable else b""

    def _relay(self) -> bytes:
        wait_s = self._ping_interval_s
        try:
            if self._pump is not None and self._flows and self._is_direct:
                if self._pump.run():
                    return self._pumped()
                wait_s = wait_s - self._pump.quiet_s
            with self.waiting:
                chunk = self._source.read1(wait_s)
                while chunk is None and not self._watch.writable:
                    chunk = self._source.read1(self._ping_interval_s)
        except ClientLeft:
            self._ending = Ending.CLIENT_LEFT
            raise
        except (UpstreamBroken, UpstreamIdle, Draining, LateRefusal) as failure:
            return self._fail(failure)
        self._flows = chunk is not None
        if chunk is None:
            return PING
        return self._hand_over(chunk) if chunk else self._finish()

    @property
    def in_content(self) -> bool:
        """As the watch says; other taps see every chunk."""
        return self._watch.in_content and not self._taps

    def show(self, chunk: bytes) -> bool:
        """Let the taps see a chunk. True: what comes after it is not simply the next one."""
        self._watch.feed(chunk)
        for tap in self._taps:
            tap.feed(chunk)
        return self._watch.over

    def _pumped(self) -> bytes:
        """The pump has moved the last chunk that it could."""
        if not self._watch.over:
            self._source.read1(0.0)  # raises, if what came behind the last piece was no chunk
            return self._finish()
        if not self._watch.stopped:
            return self._fail(UpstreamBroken("an event is too long"))
        self._complete_now()
        return self._linger()

    def _hand_over(self, chunk: bytes) -> bytes:
        if self.show(chunk):
            if not self._watch.stopped:
                return self._fail(UpstreamBroken("an event is too long"))
            self._look_for_the_end()
        return chunk

    def _look_for_the_end(self) -> None:
        if self._complete or self._watch.stopped:
            self._complete_now()
            self._step = self._end if self._complete else self._linger

    def _finish(self) -> bytes:
        """The upstream has ended properly; has the message?"""
        self._watch.finish()
        if not self._watch.whole:
            return self._fail(UpstreamBroken("the stream ended without message_stop"))
        if self._watch.error:
            self._ending = Ending.ERRORED
        else:
            self._complete_now()
        return self._end()

    def _complete_now(self) -> None:
        """The message is whole; whatever follows is no part of it."""
        self._ending = Ending.COMPLETE
        if self._on_whole is not None:
            try:
                self._on_whole()
            except Exception:  # what is learned from a message must not harm it
                log.exception("a complete message was not learned from")

    def _linger(self) -> bytes:
        """The message is complete: end at once, but see whether the upstream's end is here."""
        self._step = self._end
        try:
            chunk = self._source.read1(LINGER_CODED_S if self._watch.coded else LINGER_S)
        except UpstreamError:
            chunk = None
        return chunk or self._end()

    def _fail(self, failure: Exception) -> bytes:
        self._step = self._cut
        upstream_said_it = self._watch.error is not None
        self._ending = Ending.ERRORED if upstream_said_it else _ending(failure)
        asked_for = self._failure == "event" or isinstance(failure, LateRefusal)
        if not (asked_for and self._watch.writable):
            return self._cut()
        return error_event(self._error_type(failure), _told(failure))

    def _error_type(self, failure: Exception) -> str:
        if isinstance(failure, LateRefusal):
            return failure.error_type
        if isinstance(failure, Draining) or not self._watch.begun_block:
            return "overloaded_error"
        return "timeout_error" if isinstance(failure, UpstreamIdle) else "api_error"

    def _cut(self) -> bytes:
        raise StreamCut("the stream broke off")

    def _end(self) -> bytes:
        raise StopIteration


def _ending(failure: Exception) -> Ending:
    match failure:
        case UpstreamIdle():
            return Ending.SILENT
        case Draining():
            return Ending.DRAINED
        case LateRefusal():
            return Ending.REFUSED
        case _:
            return Ending.BROKEN


def _told(failure: Exception) -> str:
    """What the client reads; the network's own words may name hosts."""
    match failure:
        case UpstreamIdle():
            return "the upstream fell silent"
        case Draining() | LateRefusal():
            return str(failure)
        case _:
            return "the upstream broke off the stream"
