"""Serve: one request of a connection, as gunicorn's gevent worker serves it, for less.

gunicorn makes everything anew for each request: the part of the environ that never changes, an
error stream, the date, each header's verdict. Here that is kept, and the head of a response leaves
in one packet with the first bytes of its body. What is out of the ordinary (a unix socket, a mount
by `SCRIPT_NAME`, the PROXY protocol) is still gunicorn's own; so are parsing, framing, HTTP/2 and
the life of a connection. Installed by `relay.serving`; nothing here runs elsewhere.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import gevent
import gevent.socket
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.message import TOKEN_RE
from gunicorn.workers.ggevent import GeventWorker

from relay.stream.body import Body

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# Of a longer piece a copy costs more than a second packet.
_JOINED_BYTES: Final = 64 << 10

Headers = Sequence[tuple[str, str]]


class Response(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's response, cheaper to begin."""

    headers_sent: bool

    def process_headers(self, headers: Headers) -> None:
        """Keep what may be sent, and see what frames the body.

        Raises: gunicorn's `InvalidResponseHeader` and `InvalidResponseHeaderName`, `TypeError`.
        """
        for name, value in headers:
            plain = type(value) is str and value.isascii() and value.isprintable()
            if plain and _is_ordinary(name):
                self.headers.append((name, value.strip(" ")))
            else:
                super().process_headers(((name, value),))

    def send_headers(self) -> None:
        """Send the head by itself, once."""
        if not self.headers_sent:
            self.headers_sent = True
            self._send(self._head())

    def write(self, arg: bytes) -> None:
        """Send a piece of the body; the head goes with the first one."""
        joined = type(arg) is bytes and 0 < len(arg) <= _JOINED_BYTES
        if self.headers_sent or not joined or self._omits_body:
            super().write(arg)
            return
        piece = arg if self.response_length is None else arg[: self.response_length]
        self.sent += len(piece)
        self.headers_sent = True
        self._send(self._head() + (_framed(piece) if self.chunked else piece))

    def close(self) -> None:
        """Send what ends the body."""
        self.send_headers()
        if self.chunked:
            self._send(b"0\r\n\r\n")

    def _emit_body(self, data: bytes) -> None:
        self._send(_framed(data) if self.chunked else data)

    def _send(self, data: bytes) -> None:
        """Write everything. gevent's `sendall` alone costs twice the system call."""
        sock = self.sock
        if type(sock) is not gevent.socket.socket:
            sock.sendall(data)
            return
        try:
            sent = os.write(sock.fileno(), data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            sock.sendall(memoryview(data)[sent:])

    def _head(self) -> bytes:
        major, minor = self.req.version
        connection = "close" if self.should_close() else "keep-alive"
        lines = [
            f"HTTP/{major}.{minor} {self.status}",
            f"Server: {self.version}",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {'upgrade' if self.upgrade else connection}",
        ]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join((*lines, "", "")).encode("latin-1")


class _Errors(wsgi.WSGIErrorsWrapper):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's, for as long as the worker lives: its files may be rotated meanwhile."""

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg

    def write(self, data: str) -> None:
        wsgi.WSGIErrorsWrapper(self._cfg).write(data)


class Server:
    """Takes the place of one worker's `handle_request`."""

    def __init__(self, worker: GeventWorker) -> None:
        self._worker = worker
        self._app: Callable[..., Iterable[bytes]] = worker.wsgi
        self._cfg = worker.cfg
        self._keeps_alive = bool(worker.cfg.keepalive)
        self._same = {
            **wsgi.base_environ(worker.cfg),
            "wsgi.errors": _Errors(worker.cfg),
            "wsgi.multithread": True,
        }
        self._is_mounted = bool(os.environ.get("SCRIPT_NAME"))

    def handle_request(self, listener: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Serve one request. Raises: `StopIteration` when the connection ends with it."""
        began = datetime.now(UTC)
        environ: WSGIEnvironment = {}
        response: Response | None = None
        try:
            self._cfg.pre_request(self._worker, req)
            response, environ = self._begin(listener, req, sock, addr)
            self._answer(response, environ, req, began)
        except (StopIteration, OSError):
            raise
        except gevent.GreenletExit:
            return
        except (Exception, SystemExit) as fault:
            if response is not None and response.headers_sent:
                # The head is out: nothing but the end of the connection can tell of the fault.
                self._worker.log.exception("Error handling request")
                raise StopIteration from fault
            if isinstance(fault, Exception):
                raise
        finally:
            self._after(req, environ, response)

    def _begin(
        self, listener: Any, req: Any, sock: socket.socket, addr: Any
    ) -> "tuple[Response, WSGIEnvironment]":
        worker = self._worker
        environ = self._environ(listener, req, sock, addr)
        if environ is None:
            response, environ = wsgi.create(
                req, sock, addr, listener, self._cfg, response_class=Response
            )
            environ["wsgi.multithread"] = True
        else:
            response = Response(req, sock, self._cfg)
            environ["wsgi.early_hints"] = wsgi._make_early_hints_callback(req, sock, response)  # noqa: SLF001  as `create` does
        worker.nr += 1
        if worker.nr >= worker.max_requests and worker.alive:
            worker.log.info("Autorestarting worker after current request.")
            worker.alive = False
        if not (worker.alive and self._keeps_alive):
            response.force_close()
        return response, environ

    def _answer(
        self, response: Response, environ: "WSGIEnvironment", req: Any, began: datetime
    ) -> None:
        pieces = self._app(environ, response.start_response)
        try:
            if isinstance(pieces, wsgi.FileWrapper):
                response.write_file(pieces)
            else:
                if response.chunked and isinstance(pieces, Body):
                    pieces.direct()
                for piece in pieces:
                    response.write(piece)
            response.close()
        finally:
            self._worker.log.access(response, req, environ, datetime.now(UTC) - began)
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        if response.should_close():
            raise StopIteration

    def _after(self, req: Any, environ: "WSGIEnvironment", response: Response | None) -> None:
        try:
            self._cfg.post_request(self._worker, req, environ, response)
        except Exception:
            self._worker.log.exception("Exception in post_request hook")

    def _environ(
        self, listener: Any, req: Any, sock: socket.socket, addr: Any
    ) -> "WSGIEnvironment | None":
        """The environ of an ordinary request (PEP 3333); None for one that is not."""
        named = isinstance(listener, tuple) and isinstance(addr, tuple)
        if not named or self._is_mounted or req.proxy_protocol_info or req._expected_100_continue:  # noqa: SLF001  as `create`
            return None
        environ = self._same.copy()
        for name, value in req.headers:
            key = _variable(name)
            if key == "HTTP_SCRIPT_NAME":
                return None
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        major, minor = req.version
        path: str = req.path
        environ.update(
            {
                "wsgi.input": req.body,
                "wsgi.url_scheme": req.scheme,
                "gunicorn.socket": sock,
                "REQUEST_METHOD": req.method,
                "SCRIPT_NAME": "",
                "PATH_INFO": util.unquote_to_wsgi_str(path) if "%" in path else path,
                "QUERY_STRING": req.query,
                "RAW_URI": req.uri,
                "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
                "SERVER_NAME": listener[0],
                "SERVER_PORT": str(listener[1]),
                "REMOTE_ADDR": addr[0],
                "REMOTE_PORT": str(addr[1]),
            }
        )
        return environ


def _framed(piece: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(piece), piece)


@lru_cache(maxsize=1024)
def _variable(name: str) -> str:
    """The key of a request header; names come in upper case."""
    if name in {"CONTENT-TYPE", "CONTENT-LENGTH"}:
        return name.replace("-", "_")
    return f"HTTP_{name.replace('-', '_')}"


@lru_cache(maxsize=1024)
def _is_ordinary(name: object) -> bool:
    """Whether a response header is nothing but passed on."""
    return (
        type(name) is str
        and TOKEN_RE.fullmatch(name) is not None
        and name.lower() != "content-length"
        and not util.is_hoppish(name)
    )


@lru_cache(maxsize=2)
def _date(unix_s: int) -> str:
    return format_datetime(datetime.fromtimestamp(unix_s, UTC), usegmt=True)
