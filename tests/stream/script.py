"""A scripted answer and a clock that only the script moves."""

from collections.abc import Sequence
from typing import Final

Item = bytes | Exception


class FakeClock:
    """Starts at 100 and moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


class Scripted:
    """An upstream's answer: what comes when, in seconds after 100; then its proper end."""

    def __init__(
        self,
        clock: FakeClock,
        *items: tuple[float, Item],
        content_type: str = "text/event-stream",
        coding: str = "",
    ) -> None:
        self._clock = clock
        self._items = [(100 + at, item) for at, item in items]
        self.headers: Sequence[tuple[str, str]] = [("content-type", content_type)]
        if coding:
            self.headers = [*self.headers, ("content-encoding", coding)]
        self.reads = 0
        self.closes = 0

    def read1(self, timeout_s: float | None = None) -> bytes | None:
        self.reads += 1
        at, item = self._items[0] if self._items else (0.0, b"")
        if timeout_s is not None and at > self._clock.now + timeout_s:
            self._clock.now += timeout_s
            return None
        self._clock.now = max(self._clock.now, at)
        if self._items:
            self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closes += 1


def event(kind: str, data: str = "{}") -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()


START: Final = event(
    "message_start",
    '{"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}',
)
PING: Final = event("ping", '{"type": "ping"}')
BLOCK: Final = event("content_block_start", '{"type":"content_block_start","index":0}')
DELTA: Final = event("content_block_delta", '{"delta":{"text":"message_ error"}}')
BLOCK_STOP: Final = event("content_block_stop", '{"type":"content_block_stop","index":0}')
MESSAGE_DELTA: Final = event("message_delta", '{"usage":{"output_tokens":9}}')
STOP: Final = event("message_stop", '{"type":"message_stop"}')
OVERLOADED: Final = event(
    "error", '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
)
WHOLE: Final = START + PING + BLOCK + DELTA + DELTA + BLOCK_STOP + MESSAGE_DELTA + STOP
