"""A stream that was committed before its upstream had answered (behaviour 8.4, rule 3).

The client already has `200 text/event-stream` without a content coding. What comes now is decoded
to fit that; what should have been an error status becomes `LateRefusal`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from relay.clock import Clock
from relay.errors import UpstreamBroken, UpstreamError, UpstreamSilent
from relay.exchange.answer import Answer, keep
from relay.stream import decode
from relay.stream.body import LateRefusal
from relay.upstream.call import Call
from relay.wire import UpstreamResponse

ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_CREDENTIAL_REFUSED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is no stream."""

    response: UpstreamResponse
    """Closed."""
    answer: Answer | None
    """Its body; None where it could not be kept."""


class LateResponse:
    """The body of a call whose headers are still awaited; read like any response body."""

    def __init__(
        self,
        call: Call,
        clock: Clock,
        *,
        ours: bool,
        on_answer: Callable[[UpstreamResponse], None],
    ) -> None:
        """`ours`: the credential is; `on_answer` is told of the answer, once there is one."""
        self._call = call
        self._clock = clock
        self._ours = ours
        self._on_answer = on_answer
        self._response: UpstreamResponse | None = None
        self.refused: Refused | None = None
        """What came instead of a stream."""
        self._decoder: decode.Decoder | None = None

    def read1(self, timeout_s: float | None = None) -> bytes | None:
        """As `UpstreamResponse.read1`, and None while there are no headers yet.

        Raises: `LateRefusal` for an answer that is no event stream.
        """
        response = self._response
        if response is None:
            response = self._head(timeout_s)
            if response is None:
                return None
        chunk = response.read1(timeout_s)
        if not chunk or self._decoder is None:
            return chunk
        try:
            return self._decoder.feed(chunk) or None
        except decode.DecodeFailed as error:
            raise UpstreamBroken(str(error)) from error

    def close(self) -> None:
        """End the response, or the call that never got one."""
        if self._response is not None:
            self._response.close()
        self._call.close()

    def _head(self, timeout_s: float | None) -> UpstreamResponse | None:
        try:
            response = self._call.head(timeout_s)
        except UpstreamSilent as error:
            raise LateRefusal("timeout_error", str(error)) from error
        except UpstreamError as error:
            raise LateRefusal("api_error", str(error)) from error
        if response is None:
            return None
        self._on_answer(response)
        headers = dict(response.headers)
        if response.status != 200 or not _is_events(headers):  # noqa: PLR2004  OK
            raise self._refusal(response)
        self._decoder = decode.decoder(headers.get("content-encoding", ""))
        if self._decoder is None:
            response.close()
            raise LateRefusal("api_error", "the upstream answered in an unknown content coding")
        self._response = response
        return response

    def _refusal(self, response: UpstreamResponse) -> LateRefusal:
        status = response.status
        answer = keep(response, self._clock)
        self.refused = Refused(response, answer)
        if self._ours and status in _CREDENTIAL_REFUSED:  # no error of the client
            return LateRefusal("api_error", "the provider refused the credential configured for it")
        return LateRefusal(ERROR_TYPES.get(status, "api_error"), _message(answer, status))


def _is_events(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("text/event-stream")


def _message(answer: Answer | None, status: int) -> str:
    default = f"the upstream answered {status}"
    try:
        document = msgspec.json.decode(answer.body) if answer else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return default
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else default
