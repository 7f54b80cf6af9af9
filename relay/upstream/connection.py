"""One connection to an upstream: bytes out and in, on gevent sockets.

Waiting blocks the greenlet and nothing else, whether or not anything was monkey-patched. A
connection belongs to the thread that made it, since its socket belongs to that thread's hub.
"""

import os
import select
import ssl
from collections.abc import Callable
from typing import Final

from gevent import get_hub
from gevent.hub import Waiter
from gevent.monkey import get_original
from gevent.socket import socket, wait_readwrite
from gevent.ssl import SSLSocket

from relay.upstream.target import Origin
from relay.upstream.tls import Tls

# One read of a burst; the kernel seldom has more ready.
READ_BYTES: Final = 64 << 10
# A write of at most one TLS record: if it fails, the upstream cannot have decrypted any of it.
RECORD_BYTES: Final = 16 << 10
# Without TLS, a write is as long as the kernel takes.
_PLAIN_WRITE_BYTES: Final = 4 << 20

# The system's own, also when gevent has replaced it by one that waits.
_poll: Final[Callable[[], select.poll]] = get_original("select", "poll")

_NO_ROOM: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """An open connection. `idle_since` is set by the pool."""

    __slots__ = (
        "_arrivals",
        "_hub",
        "_readable",
        "_sock",
        "_tls",
        "idle_since",
        "max_write_bytes",
        "origin",
        "raw_fileno",
    )

    def __init__(self, sock: socket | SSLSocket, origin: Origin, *, tls: Tls) -> None:
        self._sock = sock
        self._hub = get_hub()
        self._arrivals = _poll()
        self._arrivals.register(sock.fileno(), select.POLLIN)
        self._readable = self._hub.loop.io(sock.fileno(), 1)
        self._tls: Tls | None = tls if origin.is_tls else None
        self.origin = origin
        self.idle_since = 0.0
        self.raw_fileno = -1 if origin.is_tls else sock.fileno()
        """The descriptor, if what goes over it is not encrypted; -1 under TLS and once closed."""
        self.max_write_bytes = RECORD_BYTES if origin.is_tls else _PLAIN_WRITE_BYTES
        sock.settimeout(0.0)  # who waits does it here

    def __repr__(self) -> str:
        return f"Connection({self.origin}, fd={self.fileno()})"

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._sock.fileno()

    def is_at_home(self) -> bool:
        """Whether this is the thread that it can be used in."""
        return self._hub is get_hub()

    def receive(self) -> bytes | None:
        """What has arrived, b"" at the end, None for nothing. Never waits. Raises: `OSError`."""
        try:
            if self.raw_fileno >= 0:
                return os.read(self.raw_fileno, READ_BYTES)  # a third of the way through gevent
            return self._sock.recv(READ_BYTES)
        except _NO_ROOM:
            return None

    def send(self, data: memoryview) -> int:
        """Write what fits without waiting; 0 when nothing does. Raises: `OSError`."""
        try:
            return (
                os.write(self.raw_fileno, data) if self.raw_fileno >= 0 else self._sock.send(data)
            )
        except _NO_ROOM:
            return 0

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be something to read, or the time is over.

        Raises: `OSError` when the connection is closed meanwhile.
        """
        waiter: Waiter[None] = Waiter(self._hub)
        limit = self._hub.loop.timer(timeout_s)
        try:
            self._readable.start(waiter.switch, None)
            limit.start(waiter.switch, None)
            waiter.get()
        finally:
            self._readable.stop()
            limit.close()

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait until there is room to write, or something to read.

        Raises: `TimeoutError`.
        """
        wait_readwrite(self._sock.fileno(), timeout=timeout_s, timeout_exc=TimeoutError())

    def is_quiet(self) -> bool:
        """Whether an idle connection is open and silent; nothing may arrive on it unasked.

        What has arrived is read rather than peeked at: under TLS that swallows session tickets,
        which are no answer. To ask first costs a part of a read that finds nothing.
        """
        try:
            return not self._arrivals.poll(0) or self.receive() is None
        except OSError:
            return False

    def keep_session(self) -> None:
        """Keep the TLS session for the next connection, once an answer has brought it."""
        if self._tls is not None and isinstance(self._sock, SSLSocket):
            self._tls.remember(self.origin, self._sock)
            self._tls = None

    def close(self) -> None:
        """End the connection. Idempotent, never raises, never waits; wakes who waits."""
        self.raw_fileno = -1
        # A descriptor must not be closed while somebody watches it: then gevent closes it later.
        self._hub.cancel_waits_close_and_then(
            (self._readable,), ConnectionAbortedError, self._close
        )

    def _close(self) -> None:
        try:
            self._sock.close()
        except OSError:  # the descriptor was taken away; there is nothing left to close
            return
