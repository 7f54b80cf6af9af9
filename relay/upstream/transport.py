"""The one place that talks to upstreams: a pool of connections with two ways in.

`begin` is the relay's own, and cheap. `send` makes the same connections an adapter of `requests`,
to be mounted on a `Session` for `http://` and `https://`. Neither follows redirects, reads netrc,
keeps cookies, or sends a request twice.
"""

import ssl
from collections.abc import Mapping
from typing import Final

import requests
from requests.adapters import BaseAdapter
from requests.utils import select_proxy

from relay.clock import Clock, SystemClock
from relay.errors import (
    UpstreamError,
    UpstreamSilent,
    UpstreamUnreachable,
)
from relay.secret import Secret
from relay.upstream.call import Call
from relay.upstream.connect import Connector
from relay.upstream.connection import Connection
from relay.upstream.head import request_head
from relay.upstream.line import NothingSent
from relay.upstream.pool import MAX_IDLE, Pool
from relay.upstream.proxy import Proxies
from relay.upstream.raw import as_requests_response
from relay.upstream.target import Target, target_of
from relay.upstream.tls import OnHandshake, Tls
from relay.wire import Timeouts, UpstreamRequest

__all__ = ["Call", "Transport"]

_CLOCK: Final = SystemClock()
# `requests` says None for "wait for ever"; a year is that.
_FOR_EVER_S: Final = 365 * 86400.0

Wait = float | tuple[float | None, float | None] | None


class Transport(BaseAdapter):
    """Connections with one proxy setting and one set of trusted certificates.

    `proxy` is a URL, `env`, or empty; `ca_file` a PEM bundle instead of certifi's.
    Raises: `ValueError` for a proxy that is no URL, `OSError` for an unreadable `ca_file`.
    """

    def __init__(
        self,
        *,
        proxy: Secret | str = "",
        ca_file: str = "",
        max_idle: int = MAX_IDLE,
        clock: Clock = _CLOCK,
        on_handshake: OnHandshake | None = None,
    ) -> None:
        super().__init__()
        setting = proxy.reveal() if isinstance(proxy, Secret) else proxy
        tls = Tls(ca_file, clock=clock, on_handshake=on_handshake)
        self._connector = Connector(proxies=Proxies(setting), tls=tls, clock=clock)
        self._pool = Pool(max_idle=max_idle, clock=clock)
        self._clock = clock
        self._others: dict[tuple[str, str], Transport] = {}

    def __repr__(self) -> str:
        return f"Transport({self._pool!r})"

    def begin(self, request: UpstreamRequest) -> Call:
        """Connect if need be, and write the request; waits until it is out or answered.

        Raises: `ValueError` for a URL or header that must not be written; `UpstreamUnreachable`
        when nothing was sent; what `Call.send` raises. Then nothing is left to close.
        """
        target = target_of(request.url)
        head = self._head(request, target)
        idle = self._pool.take(target.origin)
        if idle is not None:
            call = self._call(idle, request)
            try:
                call.send(head, request.body)
            except NothingSent:
                pass  # closed behind our back: the one case in which a request is tried again
            else:
                return call
        fresh = self._connector.connect(target.origin, request.timeouts.connect_s)
        call = self._call(fresh, request)
        try:
            call.send(head, request.body)
        except NothingSent as error:
            message = f"{target.origin} closed the connection before it was used"
            raise UpstreamUnreachable(message) from error
        return call

    def send(  # noqa: PLR0913, PLR0917  the signature is that of `requests`
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002  always streamed
        timeout: Wait = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002  the same
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send for a `requests.Session`. Raises: the exceptions of `requests`, as it documents.

        A string in `verify` and an entry in `proxies` choose connections of their own.
        Certificates are always verified, and no client certificate is shown: `ValueError`.
        """
        if verify is False or cert:
            raise ValueError("certificates are always verified, and none of a client is sent")
        others = self._with(select_proxy(request.url or "", proxies) or "", verify)
        call: Call | None = None
        try:
            call = others.begin(_upstream_request(request, timeout))
            answer = call.head()
        except UpstreamError as error:
            raise _translated(error, request) from error
        except BaseException:
            if call is not None:
                call.close()
            raise
        assert answer is not None, "head without a limit waits for the head"  # noqa: S101  for the type
        return as_requests_response(request, answer, call.close)

    def close(self) -> None:
        """Close idle connections. Calls that run go on, and close theirs at their end."""
        self._pool.close()
        for other in self._others.values():
            other.close()

    def _head(self, request: UpstreamRequest, target: Target) -> bytes:
        path, headers = target.path, request.headers
        proxy = self._connector.proxy(target.origin)
        if proxy is not None and not target.origin.is_tls:
            path = target.absolute
            if proxy.authorization:
                headers = {**headers, "Proxy-Authorization": proxy.authorization.reveal()}
        return request_head(request.method, path, target.authority, headers, len(request.body))

    def _call(self, connection: Connection, request: UpstreamRequest) -> Call:
        return Call(
            connection,
            request.timeouts,
            bodyless=request.method == "HEAD",
            pool=self._pool,
            clock=self._clock,
        )

    def _with(self, proxy: str, verify: bool | str) -> "Transport":  # noqa: FBT001  as in `send`
        ca_file = verify if isinstance(verify, str) else ""
        if not proxy and not ca_file:
            return self
        key = (proxy, ca_file)
        if key not in self._others:
            self._others[key] = Transport(proxy=proxy, ca_file=ca_file, clock=self._clock)
        return self._others[key]


def _upstream_request(request: requests.PreparedRequest, timeout: Wait) -> UpstreamRequest:
    connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    read_s = _FOR_EVER_S if read_s is None else read_s
    body = request.body
    if isinstance(body, str):
        body = body.encode()
    elif body is not None and not isinstance(body, bytes):
        body = b"".join(body)  # a file or generator: sent with its length, not chunked
    return UpstreamRequest(
        method=request.method or "GET",
        url=request.url or "",
        headers={name: _text(value) for name, value in request.headers.items()},
        body=body or b"",
        timeouts=Timeouts(
            connect_s=_FOR_EVER_S if connect_s is None else connect_s,
            first_byte_s=read_s,
            idle_s=read_s,
        ),
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _translated(
    error: UpstreamError, request: requests.PreparedRequest
) -> requests.RequestException:
    cause = error.__cause__
    if isinstance(error, UpstreamSilent):
        return requests.ReadTimeout(str(error), request=request)
    if isinstance(error, UpstreamUnreachable) and isinstance(cause, ssl.SSLError):
        return requests.exceptions.SSLError(str(error), request=request)
    if isinstance(error, UpstreamUnreachable) and isinstance(cause, TimeoutError):
        return requests.ConnectTimeout(str(error), request=request)
    return requests.ConnectionError(str(error), request=request)
