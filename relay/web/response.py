"""A Flask response that is already complete: nothing is left for werkzeug to compute.

The hot path costs half of an ordinary `Response` this way, and the body's own iterable reaches
the WSGI server, which calls its `close`. What an `after_request` of somebody's pipeline looks at
or sets (headers, status, `response`) is made when it is asked for.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.wsgi import ClosingIterator

from relay.exchange.reply import Reply

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class PreparedResponse(Response):
    """Hands a `Reply` to `start_response` as it is."""

    direct_passthrough = True

    def __init__(self, reply: Reply) -> None:  # the base's init is what this saves
        self._reply = reply

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]  # an attribute there
        return Headers(self._reply.headers)

    @cached_property
    def response(self) -> Iterable[bytes]:  # type: ignore[override]  # an attribute there
        return self._reply.body

    @cached_property
    def _on_close(self) -> list[Callable[[], Any]]:  # type: ignore[override]  # an attribute there
        return []

    @cached_property
    def _status_code(self) -> int:  # type: ignore[override]  # what werkzeug keeps it in
        return self._reply.status

    @cached_property
    def _status(self) -> str:  # type: ignore[override]  # the same
        return _LINES.get(self._reply.status) or f"{self._reply.status} Unknown"

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        made: dict[str, Any] = self.__dict__
        headers = made["headers"].to_wsgi_list() if "headers" in made else self._reply.headers
        body = self.response if "response" in made else self._reply.body
        if body is not self._reply.body or "_on_close" in made:
            body = ClosingIterator(body, [partial(_close, self._reply.body), *self._on_close])
        try:
            start_response(self._status, headers)
            if environ.get("REQUEST_METHOD") != "HEAD":
                return body
            deque(body, maxlen=0)  # not every server drops it
        except BaseException:
            _close(body)
            raise
        _close(body)
        return ()


def _close(body: Iterable[bytes]) -> None:
    """As the server would, which has not got it."""
    close = getattr(body, "close", None)
    if close is not None:
        close()
