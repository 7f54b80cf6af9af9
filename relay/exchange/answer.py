"""An upstream's error answer, kept while others are tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.clock import Clock
from relay.errors import UpstreamError
from relay.exchange.reply import Reply
from relay.upstream.headers import response_headers
from relay.wire import UpstreamResponse

# Error bodies are a few hundred bytes; what is larger is no message for a client.
MAX_ANSWER_BYTES: Final = 1 << 20
# An upstream that has already failed gets no more of the client's patience than this.
MAX_ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response: relayed byte for byte if nobody does better (behaviour 8.3)."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def reply(self, *, pooled: bool) -> Reply:
        """The answer as the client gets it."""
        headers = [
            header
            for header in response_headers(self.headers, pooled=pooled)
            if header[0].lower() != "content-length"
        ]
        headers.append(("Content-Length", str(len(self.body))))
        return Reply(self.status, headers, (self.body,))


def keep(response: UpstreamResponse, clock: Clock) -> Answer | None:
    """Read the body to its end, within `MAX_ANSWER_BYTES` and `MAX_ANSWER_S`; None if it has none.

    The response is closed in every case.
    """
    try:
        body, whole = begin(response, clock)
    except UpstreamError:
        return None
    finally:
        response.close()
    return Answer(response.status, response.headers, body) if whole else None


def begin(response: UpstreamResponse, clock: Clock) -> tuple[bytes, bool]:
    """What the body begins with, within the same limits, and whether that is all of it.

    Raises: `UpstreamError`, as `UpstreamResponse.read1`.
    """
    deadline = clock.monotonic() + MAX_ANSWER_S
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_ANSWER_BYTES:
        left_s = deadline - clock.monotonic()
        chunk = response.read1(left_s) if left_s > 0 else None
        if chunk is None:
            break
        if not chunk:
            return b"".join(chunks), True
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks), False
