"""TLS towards upstreams: one context a client, certificates always verified, sessions resumed."""

import ssl
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, TypeAlias

import certifi
from gevent.socket import socket
from gevent.ssl import SSLContext, SSLSocket

from relay.clock import Clock, SystemClock
from relay.upstream.target import Origin

OnHandshake: TypeAlias = Callable[[str, bool, float], None]
"""Told of every handshake: TLS version, whether a session was resumed, seconds it took."""

_CLOCK: Final = SystemClock()
_ALPN: Final[Sequence[str]] = ("http/1.1",)


class Tls:
    """The context of one client and the sessions that shorten its next handshakes.

    `ca_file` is a PEM bundle that replaces certifi's. It is read at once, certifi's at the first
    use: that takes 20 ms, and a plain http upstream never needs it.
    """

    def __init__(
        self,
        ca_file: str = "",
        *,
        clock: Clock = _CLOCK,
        on_handshake: OnHandshake | None = None,
    ) -> None:
        self._clock = clock
        self._on_handshake = on_handshake
        self._context = _context(ca_file) if ca_file else None
        self._making = Lock()  # guards `_context`: a session is good for its own context only
        self._sessions: dict[Origin, ssl.SSLSession] = {}

    def wrap(self, sock: socket, origin: Origin) -> SSLSocket:
        """Shake hands over a connected socket, which belongs to the result, or is closed.

        Raises: `OSError` (`ssl.SSLCertVerificationError` among them).
        """
        try:
            wrapped: SSLSocket = self._made().wrap_socket(
                sock,
                do_handshake_on_connect=False,
                server_hostname=origin.host,
                session=self._sessions.get(origin),
            )
        except BaseException:
            sock.close()
            raise
        began = self._clock.monotonic()
        try:
            wrapped.do_handshake()
        except BaseException:  # also a greenlet that is told to give up
            wrapped.close()
            raise
        if self._on_handshake is not None:
            resumed = bool(wrapped.session_reused)
            self._on_handshake(wrapped.version() or "", resumed, self._clock.monotonic() - began)
        return wrapped

    def remember(self, origin: Origin, sock: SSLSocket) -> None:
        """Keep the session for the next handshake. With TLS 1.3 it comes after the first answer."""
        session = sock.session
        if session is not None:
            self._sessions[origin] = session

    def _made(self) -> SSLContext:
        with self._making:
            if self._context is None:
                self._context = _context(certifi.where())
            return self._context


def _context(ca_file: str) -> SSLContext:
    # PROTOCOL_TLS_CLIENT verifies certificate and host name and begins at TLS 1.2. No attribute is
    # set on the context: its setters recurse when gevent patched `ssl` after it was imported.
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(list(_ALPN))
    return context
