"""Egress proxies: which one a request takes, and the tunnel through it.

A proxy is used only where the configuration names one, or says `env`. https goes through a tunnel
(`CONNECT`), http in absolute form to the proxy itself. The proxy is spoken to in plain HTTP.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from gevent.socket import socket

from relay.errors import UpstreamBroken, UpstreamUnreachable
from relay.secret import Secret
from relay.upstream.parser import ResponseParser
from relay.upstream.target import Origin

ENVIRONMENT: Final = "env"
_READ_BYTES: Final = 64 << 10
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Proxy:
    """One HTTP proxy."""

    host: str
    port: int
    authorization: Secret = field(default_factory=lambda: Secret(""))
    """The value of `Proxy-Authorization`, empty for none."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read `http://[user:password@]host[:port]`; the scheme may be missing.

        Raises: `ValueError`, without the URL in its message.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a proxy must be a URL like http://host:port")
        authorization = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            authorization = f"Basic {b64encode(pair).decode('ascii')}"
        return cls(parts.hostname, parts.port or 80, Secret(authorization))

    def __str__(self) -> str:
        return f"proxy {self.host}:{self.port}"


class Proxies:
    """The setting `providers[].proxy`: empty, a URL, or `env`."""

    def __init__(self, setting: str) -> None:
        self._fixed = Proxy.of(setting) if setting not in ("", ENVIRONMENT) else None
        self._asks_environment = setting == ENVIRONMENT
        self._known: dict[Origin, Proxy | None] = {}

    def of(self, origin: Origin) -> Proxy | None:
        """The proxy for this origin. The environment is read once for each."""
        if not self._asks_environment:
            return self._fixed
        if origin not in self._known:
            self._known[origin] = _from_environment(origin)
        return self._known[origin]


def tunnel(sock: socket, proxy: Proxy, origin: Origin) -> None:
    """Have the proxy connect to the origin. The caller limits the time and closes the socket.

    Raises: `UpstreamUnreachable` when the proxy refuses, `OSError` when it is lost.
    """
    authorization = proxy.authorization.reveal()
    credential = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
    sock.sendall(f"CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n{credential}\r\n".encode("ascii"))
    parser = ResponseParser(bodyless=True)
    try:
        while not parser.has_head:
            data = sock.recv(_READ_BYTES)
            if not data:
                raise UpstreamUnreachable(f"{proxy} closed the connection to {origin}")
            parser.feed(data)
    except UpstreamBroken as error:
        raise UpstreamUnreachable(f"{proxy} did not speak HTTP") from error
    finally:
        parser.drop()
    if parser.status not in _OK:
        raise UpstreamUnreachable(f"{proxy} refused to connect to {origin}: {parser.status}")


def _from_environment(origin: Origin) -> Proxy | None:
    url = getproxies().get(origin.scheme)
    if not url or proxy_bypass(str(origin)):
        return None
    try:
        return Proxy.of(url)
    except ValueError as error:
        name = f"{origin.scheme.upper()}_PROXY"
        raise UpstreamUnreachable(f"{name} of the environment: {error}") from error
