"""A response as `requests` knows it, over a response as we know it."""

import http.client
import io
from collections.abc import Callable

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse

from relay.errors import UpstreamBroken, UpstreamIdle
from relay.wire import UpstreamResponse


def as_requests_response(
    request: requests.PreparedRequest, answer: UpstreamResponse, close: Callable[[], None]
) -> requests.Response:
    """What `requests` hands out; `raw` is urllib3's, so decoding and errors are as always.

    No cookie is taken from it. `close` ends the call.
    """
    headers = HTTPHeaderDict()
    for name, value in answer.headers:
        headers.add(name, value)
    response = requests.Response()
    response.status_code = answer.status
    response.reason = http.client.responses.get(answer.status, "")
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response.url = request.url or ""
    response.request = request
    response.raw = HTTPResponse(
        body=_Body(answer, close),
        headers=headers,
        status=answer.status,
        reason=response.reason,
        preload_content=False,
        request_method=request.method,
        request_url=request.url,
    )
    return response


class _Body(io.RawIOBase):
    """The body as a file. Errors are those that urllib3 translates for `requests`."""

    def __init__(self, answer: UpstreamResponse, close: Callable[[], None]) -> None:
        self._answer = answer
        self._end = close
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        """What has arrived, at most `size` bytes."""
        if not self._rest:
            self._rest = self._more()
        if size < 0:
            size = len(self._rest)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, fewer only at the end; everything when negative."""
        parts: list[bytes] = []
        while size != 0 and (part := self.read1(size)):
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def close(self) -> None:
        self._end()
        super().close()

    def _more(self) -> bytes:
        try:
            return self._answer.read1() or b""
        except UpstreamIdle as error:
            raise TimeoutError(str(error)) from error
        except UpstreamBroken as error:
            raise http.client.HTTPException(str(error)) from error
