"""Open a connection: name, TCP, proxy, TLS, all within one time limit.

Every way out but the return closes what was opened, also when the greenlet is told to give up in
any of the waits.
"""

import socket as blocking
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

import gevent
from gevent import socket

from relay.clock import Clock
from relay.errors import UpstreamUnreachable
from relay.upstream.connection import Connection
from relay.upstream.proxy import Proxies, Proxy, tunnel
from relay.upstream.reason import reason
from relay.upstream.target import Origin
from relay.upstream.tls import Tls

# 0 would mean not to wait, which is another thing than to have no time left.
_LEAST_S: Final = 0.001

Address = tuple[int, tuple[object, ...]]
"""A family, and what `connect` of that family takes."""


class Connector:
    """Makes the connections of one client."""

    def __init__(self, *, proxies: Proxies, tls: Tls, clock: Clock) -> None:
        self._proxies = proxies
        self._tls = tls
        self._clock = clock

    def proxy(self, origin: Origin) -> Proxy | None:
        """The proxy that requests to this origin take."""
        return self._proxies.of(origin)

    def connect(self, origin: Origin, timeout_s: float) -> Connection:
        """A new connection.

        Raises: `UpstreamUnreachable`, whose cause is the `OSError` behind it, if any.
        """
        proxy = self._proxies.of(origin)
        peer = f"{proxy}" if proxy else f"{origin}"
        limit = gevent.Timeout(timeout_s)
        try:
            with limit:
                return self._connect(origin, proxy, self._clock.monotonic() + timeout_s)
        except gevent.Timeout as error:
            if error is not limit:
                raise
            cause = TimeoutError()
            raise UpstreamUnreachable(f"{peer}: no connection within {timeout_s:g} s") from cause
        except OSError as error:
            whom = f"{origin}" if isinstance(error, ssl.SSLError) else peer
            raise UpstreamUnreachable(f"{whom}: {_reason(error, timeout_s)}") from error

    def _connect(self, origin: Origin, proxy: Proxy | None, deadline: float) -> Connection:
        host, port = (proxy.host, proxy.port) if proxy else (origin.host, origin.port)
        sock = self._dial(_addresses(host, port), deadline)
        try:
            if origin.is_tls:
                if proxy:
                    tunnel(sock, proxy, origin)
                sock = self._tls.wrap(sock, origin)
            return Connection(sock, origin, tls=self._tls)
        except BaseException:  # also a greenlet that is told to give up
            sock.close()
            raise

    def _dial(self, addresses: Sequence[Address], deadline: float) -> socket.socket:
        """The first address that answers; each may take its share of the time that is left."""
        failure: OSError = TimeoutError()
        for tried, (family, address) in enumerate(addresses):
            left_s = max(deadline - self._clock.monotonic(), _LEAST_S)
            try:
                return _open(family, address, left_s / (len(addresses) - tried))
            except OSError as error:
                failure = error
        raise failure


def _open(family: int, address: tuple[object, ...], timeout_s: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # The head and a small body are one write: waiting for more would only delay it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(timeout_s)
        sock.connect(address)
        sock.settimeout(None)
    except BaseException:  # also a greenlet that is told to give up
        sock.close()
        raise
    return sock


def _addresses(host: str, port: int) -> Sequence[Address]:
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004  the protocol's name
    except ValueError:
        return _resolved(host, port)
    return [(family, (host, port))]


def _resolved(host: str, port: int) -> Sequence[Address]:
    # gevent asks in a native thread of the hub. A hub of another than the main thread (`flask
    # run` serves each request in one) would leave that thread behind, and it has no other greenlet
    # to keep running meanwhile: there the plain call may block.
    is_main = gevent.get_hub().loop.default
    resolve = socket.getaddrinfo if is_main else blocking.getaddrinfo
    try:
        found = resolve(host, port, 0, socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty or overlong part: no name at all
        raise blocking.gaierror(blocking.EAI_NONAME, "malformed name") from error
    return [(family, address) for family, _, _, _, address in found]


def _reason(error: OSError, timeout_s: float) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"no connection within {timeout_s:g} s"
    return reason(error)
