"""Pump: move a stream from the upstream's socket to the client's in the event loop.

An event that goes through the iterator, the WSGI server and `sendall` costs two greenlet switches
and a watcher started and stopped. Here the greenlet waits once while callbacks do the work:

    upstream readable ► whole chunks of mere content ────────── as they came ┐
                      └ anything else ► parse ► watch, taps ► frame ► write to the client
                                          │                             │
         end, fault, message_stop, quiet: ┴─── back to the greenlet ────┴ short: it writes on

In the long middle of a stream nearly every event arrives as a chunk of its own, which is what it
must be for the client, too: such chunks pass unparsed (`passing`).

Only for a plain HTTP/1.1 connection whose head, with `transfer-encoding: chunked`, the server has
already written: the frames here take the place of those the server would make of the iterator's
pieces, and the server still writes the last one. Everything rare is left to the iterator: pings,
time limits, the end, and what becomes of a fault. So whatever leaves here leaves at the border of
a chunk.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol

import gevent
import gevent.socket
from gevent.hub import Waiter

from relay.clock import SystemClock
from relay.errors import ClientLeft
from relay.stream.passing import Passed, may_pass, pass_on

# A stream that pauses longer goes on by the iterator, where pings and time limits are: long
# against the pauses within an answer, and a part of the ping interval and of the upstream's idle
# limit where those are short.
_QUIET_S: Final = 1.0
_QUIET_PART: Final = 4

_monotonic: Final = SystemClock().monotonic


class Readable(Protocol):
    """A response that can be looked at without waiting."""

    @property
    def idle_s(self) -> float:
        """How long it may be silent."""
        ...

    def fileno(self) -> int:
        """The descriptor to watch, -1 once the response has been read to its end."""
        ...

    @property
    def at_border(self) -> bool:
        """The body comes in chunks, and its next byte is the first of a chunk."""
        ...

    def poll(self) -> bytes | None:
        """What has arrived, None for nothing, b"" at the end. Raises what `read1` raises, and
        never switches greenlets.
        """
        ...

    def look(self) -> bytes | None:
        """As `poll`, but with the framing. What it returns is given to `parse`, unless it is a
        whole chunk and `at_border` was true.
        """
        ...

    def raw_fileno(self) -> int:
        """The descriptor to read the same from, -1 if there is none."""
        ...

    def lost(self, error: OSError) -> Exception:
        """What to raise when that reading failed."""
        ...

    def heard(self, at: float) -> None:
        """That reading had something at this monotonic time, which was left out."""
        ...

    def parse(self, data: bytes) -> bytes | None:
        """What `poll` would have returned."""
        ...


class Audience(Protocol):
    """Those who see what is moved."""

    waiting: AbstractContextManager[object]
    """Entered while the greenlet waits."""

    def show(self, chunk: bytes) -> bool:
        """Let the taps see a chunk. True: it was the last one to be moved here."""
        ...

    @property
    def in_content(self) -> bool:
        """A chunk of whole events that say only content (`is_content`) need not be shown."""
        ...


class Outlet:
    """The client's end of one exchange, where the pump may write to it."""

    def __init__(self, sock: gevent.socket.socket) -> None:
        self._sock = sock
        self._fd = sock.fileno()

    def fileno(self) -> int:
        """The descriptor to write to."""
        return self._fd

    def write(self, data: bytes) -> int:
        """Write what fits without waiting. Raises: `ClientLeft`."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ClientLeft from error

    def write_all(self, data: memoryview) -> None:
        """Write everything, waiting as long as the client takes some. Raises: `ClientLeft`."""
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise ClientLeft from error


def outlet(environ: dict[str, Any]) -> Outlet | None:
    """The outlet of a request, None where the server's own writing is the only way."""
    sock = environ.get("gunicorn.socket")
    if (
        type(sock) is gevent.socket.socket
        and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        and environ.get("REQUEST_METHOD") != "HEAD"
    ):
        return Outlet(sock)
    return None


class Pump:
    """Moves the chunks of one response, as long as nothing but moving is to be done."""

    def __init__(
        self,
        source: Readable,
        outlet: Outlet,
        audience: Audience,
        *,
        ping_interval_s: float,
    ) -> None:
        self.quiet_s = min(_QUIET_S, ping_interval_s / _QUIET_PART, source.idle_s / 2)
        """After so much silence, to twice as much, the pump gives up."""
        self._source = source
        self._outlet = outlet
        self._audience = audience
        self._pass: Callable[[], Passed] | None = None  # while mere content may pass unparsed
        self._waiter: Waiter[Any] | None = None
        self._moved_at = self._seen = 0.0
        self._rest: memoryview | None = None
        self._fault: BaseException | None = None

    def run(self) -> bool:
        """Move until something else is to be done.

        True: the upstream's body has ended properly, or `show` said so. False: the stream is
        quiet. Raises: what `read1` raises, and `ClientLeft`; everything read before has been
        written by then.
        """
        while True:
            with self._audience.waiting:
                ended = self._wait()
            rest, self._rest = self._rest, None
            if rest is not None:  # outside `waiting`, so that a client that takes nothing is seen
                self._outlet.write_all(rest)
            if self._fault is not None:
                raise self._told(self._fault)
            if rest is None or ended:
                return ended

    def _wait(self) -> bool:
        fd = self._source.fileno()
        if fd < 0:
            return True
        hub = gevent.get_hub()
        loop = hub.loop
        readable = loop.io(fd, 1)
        quiet = loop.timer(self.quiet_s, self.quiet_s)
        waiter: Waiter[Any] = Waiter(hub)
        self._waiter = waiter
        self._seen = -1
        self._pass = None
        try:
            readable.start(self._readable)
            quiet.start(self._look)
            self._readable()  # what has arrived already wakes no watcher
            return bool(waiter.get())
        finally:
            self._waiter = None
            self._source.heard(self._moved_at)
            readable.stop()
            readable.close()
            quiet.stop()
            quiet.close()

    def _told(self, fault: BaseException) -> BaseException:
        """What `pass_on` met itself is put into the words of the source."""
        if isinstance(fault, OSError) and not isinstance(fault, ClientLeft):
            error = self._source.lost(fault)
            error.__cause__ = fault
            return error
        return fault

    # In the hub: nothing here may wait, and nothing may raise.

    def _readable(self) -> None:
        if self._waiter is None:
            return
        try:
            if self._pass is None:
                self._move(self._source.poll())
            elif (passed := self._pass()) is True:
                self._moved_at = _monotonic()
            elif passed is not None:
                self._stop_passing(passed)
        except Exception as fault:  # noqa: BLE001  raised again by `run`, in the greenlet
            self._fault = fault
            self._leave(ended=True)

    def _move(self, chunk: bytes | None) -> None:
        if chunk is None:
            self._pass = None
            return
        source, audience = self._source, self._audience
        # At its end the response gives its descriptor away: it must not be watched on.
        last = not chunk or audience.show(chunk) or source.fileno() < 0
        self._pass = self._passage() if source.at_border and audience.in_content else None
        if chunk and not self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk)):
            self._leave(ended=last)
        elif last:
            self._leave(ended=True)

    def _passage(self) -> Callable[[], Passed]:
        source = self._source.raw_fileno()
        if source < 0:
            return self._pass_decrypted
        return partial(pass_on, source, self._outlet.fileno())

    def _pass_decrypted(self) -> Passed:
        data = self._source.look()
        if data is None or not may_pass(data):
            return data
        written = self._outlet.write(data)
        return True if written == len(data) else (data, written)

    def _stop_passing(self, passed: bytes | tuple[bytes, int]) -> None:
        if isinstance(passed, bytes):
            self._move(self._source.parse(passed))
            return
        self._moved_at = _monotonic()
        data, written = passed
        self._rest = memoryview(data)[written:]
        self._leave(ended=False)

    def _write(self, frame: bytes) -> bool:
        self._moved_at = _monotonic()
        written = self._outlet.write(frame)
        if written == len(frame):
            return True
        self._rest = memoryview(frame)[written:]
        return False

    def _look(self) -> None:
        if self._moved_at == self._seen:
            self._leave(ended=False)
        self._seen = self._moved_at

    def _leave(self, *, ended: bool) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.switch(ended)
