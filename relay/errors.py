"""What can go wrong, in two trees.

`RelayError` is what a client is told: each class carries the HTTP status, the Messages-API error
type and what the client should do next. `UpstreamError` is what one attempt met; `exchange`
translates it, so it never reaches a client as it is.

A message names the thing, the value and the rule or the way out; never a secret, never a body.
"""

import errno
from collections.abc import Sequence
from typing import ClassVar


class RelayError(Exception):
    """An answer made here, in the Anthropic error shape (behaviour 4.3).

    `should_retry` becomes `x-should-retry` when it is not None; `retry_after_s` becomes
    `retry-after`, as whole seconds between 1 and 60. `headers` are further ones for the client.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    should_retry: ClassVar[bool | None] = None
    retry_after_s: float | None = None
    headers: Sequence[tuple[str, str]] = ()


class InvalidRequest(RelayError):
    """The request itself cannot be read or served as it is."""

    status = 400
    type = "invalid_request_error"
    should_retry = False


class Unauthenticated(RelayError):
    """No credential, or none that we know (behaviour 5.1)."""

    status = 401
    type = "authentication_error"
    should_retry = False


class Forbidden(RelayError):
    """We know who asks, and they may not."""

    status = 403
    type = "permission_error"
    should_retry = False


class NotFound(RelayError):
    """No such path, no such model, or nobody who serves this path."""

    status = 404
    type = "not_found_error"
    should_retry = False


class MethodNotAllowed(RelayError):
    """The path is ours, the method is not. `allow` is the value of the `Allow` header."""

    status = 405
    type = "invalid_request_error"
    should_retry = False

    def __init__(self, method: str, path: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed on {path} (allowed: {allow})")
        self.allow = allow


class BodyTooSlow(RelayError):
    """The request body did not arrive within `server.body_timeout_ms` (behaviour 4.6)."""

    status = 408
    type = "invalid_request_error"
    should_retry = True


class BodyTooLarge(RelayError):
    """The request body is over `server.max_body_bytes`."""

    status = 413
    type = "request_too_large"
    should_retry = False

    def __init__(self, limit: int) -> None:
        super().__init__(f"request body exceeds the limit of {limit} bytes")


class KeysResting(RelayError):
    """Every key that could serve rests or is at its limit; nothing was sent (behaviour 9.7)."""

    status = 429
    type = "rate_limit_error"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("every key that could serve this request rests or is at its limit")
        self.retry_after_s = retry_after_s


class UpstreamFailed(RelayError):
    """No upstream was reached, or its answer is unusable."""

    status = 502


class CredentialRefused(RelayError):
    """Our own credential was refused by the upstream, and nobody else can serve.

    No error of the client, hence no 401 or 403 (contract, HTTP surface).
    """

    status = 502
    should_retry = False


class Overloaded(RelayError):
    """This relay is full: `server.max_concurrent`, or a worker out of room (behaviour 4.9)."""

    status = 503
    type = "overloaded_error"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AllUnhealthy(RelayError):
    """Every provider that could serve is down; nothing was sent (behaviour 7.3).

    `retry_after_s`: until the first breaker turns half-open.
    """

    status = 503
    type = "overloaded_error"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("all providers unhealthy")
        self.retry_after_s = retry_after_s


class NoUpstreamConfigured(RelayError):
    """Nothing is configured that could ever serve this."""

    status = 503
    type = "overloaded_error"
    should_retry = False


class UpstreamTimedOut(RelayError):
    """The upstream sent nothing in time."""

    status = 504
    type = "timeout_error"


class UpstreamError(Exception):
    """What an attempt met on the network. Carries no header, no body and no URL credentials.

    `sent` tells whether any byte of the request had been written to the upstream: if not, the
    request cannot have been acted on.
    """

    sent: ClassVar[bool] = True


class UpstreamUnreachable(UpstreamError):
    """Refused, DNS, TLS or connect timeout: no byte of the request was written."""

    sent = False


class UpstreamLost(UpstreamError):
    """The connection ended after request bytes were written and before an answer came."""


class UpstreamSilent(UpstreamError):
    """No response headers within `timeouts.first_byte_ms`."""


class UpstreamBroken(UpstreamError):
    """The response body ended before its announced end, or cannot be decoded."""


class UpstreamIdle(UpstreamError):
    """The response body was silent for longer than `timeouts.idle_ms`."""


class ClientLeft(ConnectionResetError):
    """The client closed its connection. An `OSError`, so that the server ends quietly."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client left")


class StreamCut(ConnectionResetError):
    """Ends the client's connection without the final chunk. An `OSError`, as `ClientLeft`."""

    def __init__(self, message: str = "the stream is cut") -> None:
        super().__init__(errno.ECONNRESET, message)
