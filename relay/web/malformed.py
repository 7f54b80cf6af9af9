"""Requests that gunicorn's parser refuses never reach Flask; they get the same error shape here.

gunicorn would answer them in HTML, and some of them as a fault of the server (500).
"""

import logging
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from relay.errors import RelayError
from relay.web.errors import error_reply

if TYPE_CHECKING:
    import socket

    from gunicorn.workers.base import Worker

log = logging.getLogger("relay.web")

HandleError: TypeAlias = Callable[[Any, "socket.socket", Any, BaseException], None]

_STATUS: Final[dict[type[ParseException], int]] = {
    LimitRequestLine: 414,
    LimitRequestHeaders: 431,
    UnsupportedTransferCoding: 501,
}
# A client that sends nonsense and reads nothing must not hold its greenlet.
_WRITE_TIMEOUT_S: Final = 2.0


class Malformed(RelayError):
    """The bytes are no HTTP request that can be served."""

    type = "invalid_request_error"
    should_retry = False

    def __init__(self, error: ParseException) -> None:
        super().__init__(f"malformed request: {type(error).__name__}")
        self.status = _STATUS.get(type(error), 400)  # type: ignore[misc]  # one class for all


def answered_here(worker: "Worker") -> HandleError:
    """The worker's `handle_error`, with parse errors answered in the Anthropic shape."""
    original: HandleError = worker.handle_error

    def handle_error(req: Any, client: "socket.socket", addr: Any, exc: BaseException) -> None:
        if isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName):
            log.error("a fault of ours", exc_info=exc)  # the message names the header, no value
            _answer(client, RelayError("the relay failed to answer this request"))
        elif isinstance(exc, ParseException):
            _answer(client, Malformed(exc))
        else:
            original(req, client, addr, exc)

    return handle_error


def _answer(client: "socket.socket", error: RelayError) -> None:
    request_id = str(uuid.uuid4())
    reply = error_reply(error, request_id)
    phrase = HTTPStatus(error.status).phrase
    lines = [f"HTTP/1.1 {error.status} {phrase}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines.append(f"X-Request-ID: {request_id}")
    head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    try:
        client.settimeout(_WRITE_TIMEOUT_S)
        client.sendall(head + b"".join(reply.body))
    except OSError:  # it is gone, or takes nothing: the connection is closed either way
        return
