"""The client connections of one gunicorn worker: what its own handling leaves open, put right.

    handle ──► handle_request … handle_request ──► closed
     known      busy, then idle again

- An idle kept-alive connection would hold up a shutdown for the whole drain time: when the worker
  has drained, reading ends on those that are idle, and on each of the others after its request.
- `100 Continue` is answered when somebody wants the body, which is after authentication; gunicorn
  would send it before the application runs.

Installed on the worker object before it accepts (`relay.serving`); nothing here runs elsewhere.
"""

import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from relay.errors import StreamCut

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
AWAITS_CONTINUE: Final = "awaits_continue"
"""Attribute of `wsgi.input`: the client sends its body only after `CONTINUE`."""


_CHUNKED: Final = (1, 1)
"""The HTTP version since which a body's end can be told from its connection's."""


class Connections:
    """Knows which connections are open, and which of them carry a request."""

    def __init__(self, worker: "Worker") -> None:
        self._handle: Callable[..., None] = worker.handle
        self._handle_request: Callable[..., None] = worker.handle_request
        self._open: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        self._closing = False
        worker.handle = self.handle
        worker.handle_request = self.handle_request

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection, as the worker does."""
        self._open.add(client)
        try:
            self._handle(listener, client, addr)
        finally:
            self._open.discard(client)

    def handle_request(self, listener: Any, req: Any, client: socket.socket, addr: Any) -> None:
        """Serve one request of it."""
        if req._expected_100_continue:  # noqa: SLF001  gunicorn has no other switch for this
            req._expected_100_continue = False  # noqa: SLF001
            setattr(req.body, AWAITS_CONTINUE, True)
        self._busy.add(client)
        try:
            self._handle_request(listener, req, client, addr)
        except StreamCut:
            if req.version < _CHUNKED:
                _reset_on_close(client)
            raise
        finally:
            self._busy.discard(client)
            if self._closing:
                _end_reading(client)

    def close_idle(self) -> None:
        """From now on a connection ends with the request it carries, and at once without one."""
        self._closing = True
        for client in self._open - self._busy:
            _end_reading(client)


def _reset_on_close(client: socket.socket) -> None:
    """Without chunks the end of the connection is the end of the body: a cut has to differ."""
    try:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:  # it is gone already
        return


def _end_reading(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RD)
    except OSError:  # it is gone already
        return
