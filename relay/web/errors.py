"""Every error as the Anthropic shape, and the end of the exchange it belongs to (behaviour 4.3)."""

import logging
import math
from typing import Final

import msgspec
from flask import Flask, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from relay import errors
from relay.errors import ClientLeft, RelayError
from relay.exchange.reply import Reply
from relay.web import current
from relay.web.request_id import REQUEST_ID
from relay.web.response import PreparedResponse

log = logging.getLogger("relay.web")

# Claude Code gives up at once above 60 s, and ignores what is no whole number (gateway 2.6).
_MAX_RETRY_AFTER_S: Final = 60
_CLIENT_CLOSED_REQUEST: Final = 499


def register(app: Flask) -> None:
    """Make every exception of the application end here."""
    app.register_error_handler(RelayError, _relay_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ClientLeft, _client_left)
    app.register_error_handler(Exception, _fault)


def error_reply(error: RelayError, request_id: str) -> Reply:
    """An error made here, with the headers that say what the client should do next."""
    body = msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": error.type, "message": str(error)},
            "request_id": request_id,
        }
    )
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("request-id", request_id),
        *error.headers,
    ]
    if error.should_retry is not None:
        headers.append(("x-should-retry", "true" if error.should_retry else "false"))
    if error.retry_after_s is not None:
        seconds = max(math.ceil(min(error.retry_after_s, _MAX_RETRY_AFTER_S)), 1)
        headers.append(("retry-after", str(seconds)))
    if isinstance(error, errors.MethodNotAllowed):
        headers.append(("Allow", error.allow))
    return Reply(error.status, headers, (body,))


def _relay_error(error: RelayError) -> PreparedResponse:
    settlement = current.settlement()
    if settlement is not None:
        settlement.end(error.status, error.type)
    return PreparedResponse(error_reply(error, request.environ.get(REQUEST_ID, "")))


def _http_error(error: HTTPException) -> PreparedResponse:
    path = request.path
    if isinstance(error, NotFound):
        return _relay_error(errors.NotFound(f"{path} is not a path of this relay"))
    if isinstance(error, MethodNotAllowed):
        allow = ", ".join(sorted({*(error.valid_methods or ())} - {"OPTIONS"}))
        return _relay_error(errors.MethodNotAllowed(request.method, path, allow))
    if (error.code or 500) >= 500:  # noqa: PLR2004  5xx: Flask's wrapping of a fault of ours
        return _fault(error)
    return _relay_error(errors.InvalidRequest(error.description or error.name))


def _client_left(_error: ClientLeft) -> PreparedResponse:
    settlement = current.settlement()
    if settlement is not None:
        settlement.end(_CLIENT_CLOSED_REQUEST, "client_left")
    return _Nothing()


def _fault(error: Exception) -> PreparedResponse:
    fields = {"request_id": request.environ.get(REQUEST_ID)}
    log.error("a fault of ours", exc_info=error, extra={"fields": fields})
    return _relay_error(RelayError("the relay failed to handle this request"))


class _Nothing(PreparedResponse):
    """Writes nothing: ends the connection of a client that is gone."""

    def __init__(self) -> None:
        super().__init__(Reply(_CLIENT_CLOSED_REQUEST, [], ()))

    def __call__(self, *_: object) -> "list[bytes]":
        raise ClientLeft
