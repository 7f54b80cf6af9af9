"""Disconnect: notice clients that left, or stopped reading, while nobody writes to them.

The server learns of a client that left at its next write; a silent upstream brings none. So one
greenlet a process looks at the client sockets every quarter of a second and asks the kernel for
the state of the connection (`TCP_INFO`, about a microsecond). This sees FIN and RST, through TLS
and with pipelined bytes pending, and reads nothing.

    with presence.waiting():      the relay waits: `ClientLeft` or `Draining` may be thrown in here
        chunk = source.read1(…)
    …                             the server writes: nothing is thrown; a write that gets nowhere
                                  for `write_timeout_s` is ended by shutting the connection down

A throw happens in the hub, which first checks that the greenlet still waits. What flies through
the wait is an `Interruption`, which no library takes for a network error of its own; where the
wait ends it becomes the error the relay knows.
A client that half-closes counts as gone. Behind a proxy the client is the proxy. Where the
kernel or the server gives no such socket, nothing is watched (`Absent`).
"""

import contextlib
import logging
import os
import socket
import struct
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self

import gevent
import gevent.socket
import greenlet

from relay.clock import Clock
from relay.errors import ClientLeft
from relay.stream.drain import Draining

log = logging.getLogger("relay")

# A quarter of the second within which a client that left has to be noticed (behaviour 4.8).
POLL_S: Final = 0.25

# Looking at this many takes half a millisecond; then the streams have their turn.
_LOOKS_A_TURN: Final = 256

# struct tcp_info of linux/tcp.h: state, unacked, bytes_acked, notsent_bytes.
_TCP_INFO: Final = struct.Struct("=B23xI92xQ16xI")
_ESTABLISHED: Final = 1


class Interruption(BaseException):
    """Ends a wait, as `gevent.Timeout` does. A `ClientLeft` itself is an `OSError`, which would
    be taken for a failure of the upstream's socket."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error
        """What the end of the wait raises."""


class Presence(Protocol):
    """A client that is being watched, for the length of one exchange."""

    def waiting(self) -> AbstractContextManager[object]:
        """Arm: in this `with`, which may be nested and used again, the relay itself waits.

        Raises, where the outermost one ends: `ClientLeft`, `Draining`. Inside, an `Interruption`
        may come at any point; `finally` and `except BaseException` see it, nothing holds it.
        """
        ...

    def stop(self) -> None:
        """Watch no longer. Idempotent; called before the server goes on with the connection."""
        ...


class Absent:
    """No watch: another server, a unix socket, another system."""

    def waiting(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()

    def stop(self) -> None:
        """There is nothing to stop."""


class ClientWatch:
    """The watch over all clients of this process. Costs nothing while there are none."""

    def __init__(self, clock: Clock, *, poll_s: float = POLL_S) -> None:
        self._clock = clock
        self._poll_s = poll_s
        self._watched: set[_Watched] = set()
        self._poller: gevent.Greenlet[..., None] | None = None
        self.draining = False
        """From `drain` on, whoever waits meets `Draining`."""

    def watch(self, sock: object, *, write_timeout_s: float) -> Presence:
        """Watch the client behind the server's socket (`environ["gunicorn.socket"]`, or None)."""
        if not (isinstance(sock, gevent.socket.socket) and _tells_its_state(sock)):
            return Absent()
        watched = _Watched(self, sock, write_timeout_s)
        self._watched.add(watched)
        if self._poller is None or self._poller.dead:
            self._poller = gevent.spawn(self._poll)
        return watched

    @property
    def watching(self) -> int:
        """How many clients are watched now."""
        return len(self._watched)

    def drain(self) -> None:
        """Throw `Draining` into every wait, those to come included."""
        self.draining = True
        for watched in tuple(self._watched):
            watched.interrupt(Draining())

    def forget(self, watched: "_Watched") -> None:
        """The other half of `watch`."""
        self._watched.discard(watched)

    def _poll(self) -> None:
        while self._watched:
            gevent.sleep(self._poll_s)
            now = self._clock.monotonic()
            for looks, watched in enumerate(tuple(self._watched), 1):
                watched.look(now)
                if looks % _LOOKS_A_TURN == 0:
                    gevent.sleep(0)


class _Watched:
    """One client. It is its own `with`: `waiting` is entered once a chunk and has to be cheap."""

    def __init__(self, watch: ClientWatch, sock: gevent.socket.socket, write_s: float) -> None:
        self._watch = watch
        self._sock = sock
        self._write_timeout_s = write_s
        self._waiter: greenlet.greenlet | None = None
        self._depth = 0
        self._waits = 0
        self._progress: tuple[int, int] | None = None  # waits, and bytes the client has taken
        self._progress_at = 0.0

    def waiting(self) -> Self:
        return self

    def __enter__(self) -> Self:
        if self._watch.draining:
            raise Draining
        self._depth += 1
        if self._depth == 1:
            self._waits += 1
            self._waiter = greenlet.getcurrent()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        self._waiter = None
        if isinstance(error, Interruption):
            raise error.error from None

    def stop(self) -> None:
        self._waiter = None
        self._watch.forget(self)

    def look(self, now: float) -> None:
        """Ask the kernel how the connection is, and act on it."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        except OSError:  # closed under us: nobody can be reached any more
            self.interrupt(ClientLeft())
            return
        if self._waiter is None:
            self._look_at_writing(info, now)
        elif info[0] != _ESTABLISHED:
            self.interrupt(ClientLeft())

    def interrupt(self, error: Exception) -> None:
        """Throw `error` into the wait there is now, from the hub, if it then still is."""
        if self._waiter is not None:
            gevent.get_hub().loop.run_callback(self._throw, error)

    def _throw(self, error: Exception) -> None:
        if self._waiter is not None:
            self._waiter.throw(Interruption(error))

    def _look_at_writing(self, info: bytes, now: float) -> None:
        if len(info) < _TCP_INFO.size:  # Linux before 4.6
            return
        _, unacked, acked, unsent = _TCP_INFO.unpack(info)
        progress = (self._waits, acked)
        if progress != self._progress or not (unacked or unsent):
            self._progress, self._progress_at = progress, now
        elif now - self._progress_at >= self._write_timeout_s:
            fields = {"write_timeout_s": self._write_timeout_s}
            log.info("client does not read", extra={"fields": fields})
            _shut_down(self._sock)


def _tells_its_state(sock: gevent.socket.socket) -> bool:
    return sys.platform == "linux" and sock.family in (socket.AF_INET, socket.AF_INET6)


def _shut_down(sock: gevent.socket.socket) -> None:
    """End the connection under a blocked write.

    Through a second descriptor: a TLS socket's own `shutdown` drops its TLS object, which the
    writer is using.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as second:
        second.shutdown(socket.SHUT_RDWR)
