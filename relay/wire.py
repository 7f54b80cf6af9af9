"""What goes to an upstream and what comes back, as values every layer may hold.

Here are only shapes; the one place that opens sockets is `relay.upstream`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one attempt may wait, in seconds, each on its own."""

    connect_s: float
    """TCP and TLS together."""
    first_byte_s: float
    """From the last request byte sent to the end of the response headers."""
    idle_s: float
    """Between two reads of the response body; also the longest stall while sending."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request, ready to be written.

    `headers` are the complete end-to-end headers; `Host`, `Content-Length` and `Connection` are
    made by the transport. `url` carries no user and password.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeouts: Timeouts


class UpstreamResponse(Protocol):
    """A response whose headers are read and whose body is not.

    Whoever holds it calls `close`: a body read to its end gives the connection back to the pool,
    any other ends the connection.
    """

    @property
    def status(self) -> int:
        """The HTTP status; never 1xx."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The header fields in order, names in lower case, repeated names kept apart."""
        ...

    def read1(self, timeout_s: float | None = None) -> bytes | None:
        """What has arrived, without transfer framing: at least one byte, as soon as there is one.

        `b""` is the proper end of the body; None says that `timeout_s` passed without a byte.
        Content coding (gzip, …) is not touched.

        Raises: `UpstreamBroken` when the body ends early or its framing is malformed,
        `UpstreamIdle` after `Timeouts.idle_s` of silence, however many `timeout_s` it spans.
        """
        ...

    def close(self) -> None:
        """Give the connection back or end it. Idempotent, never raises, never waits."""
        ...
