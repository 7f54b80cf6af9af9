"""One connection to an upstream: bytes out and in, on gevent sockets.

Waiting blocks the greenlet and nothing else, whether or not anything was monkey-patched. A
connection belongs to the thread that made it, since its socket belongs to that thread's hub.
"""

import os
import ssl
from typing import Final

from gevent import get_hub
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

_NO_ROOM: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """An open connection. `idle_since` is set by the pool."""

    __slots__ = ("_hub", "_sock", "_tls", "idle_since", "max_write_bytes", "origin", "raw_fileno")

    def __init__(self, sock: socket | SSLSocket, origin: Origin, *, tls: Tls) -> None:
        self._sock = sock
        self._hub = get_hub()
        self._tls: Tls | None = tls if origin.is_tls else None
        self.origin = origin
        self.idle_since = 0.0
        self.raw_fileno = -1 if origin.is_tls else sock.fileno()
        """The descriptor, if what goes over it is not encrypted; -1 under TLS and once closed."""
        self.max_write_bytes = RECORD_BYTES if origin.is_tls else _PLAIN_WRITE_BYTES

    def __repr__(self) -> str:
        return f"Connection({self.origin}, fd={self.fileno()})"

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._sock.fileno()

    def is_at_home(self) -> bool:
        """Whether this is the thread that it can be used in."""
        return self._hub is get_hub()

    def receive(self, timeout_s: float) -> bytes | None:
        """What has arrived, b"" at the end, None if nothing came in time.

        With 0 it looks and never switches greenlets. Raises: `OSError`.
        """
        sock = self._sock
        sock.settimeout(timeout_s)
        try:
            return sock.recv(READ_BYTES)
        except _NO_ROOM:
            return None
        except TimeoutError as error:
            if error.errno is None:
                return None
            raise  # ETIMEDOUT: the kernel gave the connection up

    def poll(self) -> bytes | None:
        """As `receive(0)`, for a loop that calls it once an event. Raises: `OSError`."""
        if self.raw_fileno < 0:
            return self.receive(0.0)
        try:
            return os.read(
                self.raw_fileno, READ_BYTES
            )  # a third of what the way through gevent costs
        except BlockingIOError:
            return None

    def send(self, data: memoryview) -> int:
        """Write what fits without waiting; 0 when nothing does. Raises: `OSError`."""
        sock = self._sock
        sock.settimeout(0.0)
        try:
            return sock.send(data)
        except _NO_ROOM:
            return 0

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait until there is room to write, or something to read.

        Raises: `TimeoutError`.
        """
        wait_readwrite(self._sock.fileno(), timeout=timeout_s, timeout_exc=TimeoutError())

    def is_quiet(self) -> bool:
        """Whether an idle connection is open and silent; nothing may arrive on it unasked.

        This reads rather than peeks: under TLS it swallows session tickets, which are no answer.
        """
        try:
            return self.receive(0.0) is None
        except OSError:
            return False

    def keep_session(self) -> None:
        """Keep the TLS session for the next connection, once an answer has brought it."""
        if self._tls is not None and isinstance(self._sock, SSLSocket):
            self._tls.remember(self.origin, self._sock)
            self._tls = None

    def close(self) -> None:
        """End the connection. Idempotent, never raises, never waits."""
        self.raw_fileno = -1
        try:
            self._sock.close()
        except OSError:  # the descriptor was taken away; there is nothing left to close
            return
