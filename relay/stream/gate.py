"""Gate: read an answer with status 200 until it is worth committing to (behaviour 8.4).

Before commit a bad answer can still become another attempt; after it, never. So a stream is held
until its first content stands complete, and no longer than two limits:

    sent ──── first_event_s ────► commit, even with nothing: pings begin
              first event ── content_s ──► commit with what there is
                    message_start … content_block_start, content_block_delta ► commit

A plain answer is held until it is complete, or a megabyte of it has come. Statuses other than 200
are not judged here, and nothing here decides what follows a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from relay.clock import Clock
from relay.errors import UpstreamBroken, UpstreamIdle
from relay.messages.events import error_report
from relay.messages.usage import NO_USAGE, Usage
from relay.stream.watch import PlainWatch, StreamWatch, Watch

# The most the gate holds; then it commits. With a thousand exchanges before commit: 1 GiB.
MAX_HELD_BYTES: Final = 1 << 20

RefusalKind = Literal["error_event", "error_json", "empty", "ended", "html", "broken", "idle"]


class Answer(Protocol):
    """The part of an `UpstreamResponse` the gate reads."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]: ...

    def read1(self, timeout_s: float | None = None) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Committed:
    """An answer to relay: `held` first, then what the upstream still sends."""

    held: bytes
    watch: Watch
    """Has seen `held`."""
    complete: bool = False
    """`held` is all of it: the upstream's proper end has been read."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer no client should get."""

    kind: RefusalKind
    """`empty`: not one byte. `ended`, `broken`, `idle`: before the first content event."""
    error_type: str = ""
    """The upstream's own word, for `error_event` and `error_json`."""
    message: str = ""
    """What the upstream said, or what the network met."""
    body: bytes = b""
    """The error as JSON, as the upstream wrote it, content coding undone."""
    usage: Usage = NO_USAGE
    """What the upstream may bill for it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides over every answer of one configuration; holds no state."""

    first_event_s: float
    content_s: float
    clock: Clock

    def admit(
        self, answer: Answer, *, sent_at: float, reads_text: bool = False
    ) -> Committed | Refused:
        """Hold `answer` until it is one or the other; `sent_at` on the monotonic clock.

        `reads_text`: as a `StreamWatch` takes it.

        Reads only; whoever opened the answer closes it. What is thrown into the waiting greenlet
        (`ClientLeft`, `Draining`) passes through.
        """
        headers = dict(answer.headers)
        content_type = media_type(headers.get("content-type", ""))
        coding = headers.get("content-encoding", "")
        if content_type == "text/html":
            return Refused("html", message="the upstream answered with a web page")
        if content_type != "text/event-stream":
            return _plain(answer, PlainWatch(coding))
        held = _Held(answer, StreamWatch(coding, reads_text=reads_text))
        return self._stream(held, sent_at + self.first_event_s)

    def _stream(self, held: "_Held", deadline: float) -> Committed | Refused:
        clock_started = False
        while True:
            refused = held.read(deadline - self.clock.monotonic())
            if refused is not None:
                return refused
            if held.is_worth_committing():
                return held.committed()
            now = self.clock.monotonic()
            if held.any_event and not clock_started:
                clock_started, deadline = True, now + self.content_s
            if now >= deadline:
                return held.committed()


class _Held:
    """What has been read of one stream."""

    def __init__(self, answer: Answer, watch: StreamWatch) -> None:
        self._answer = answer
        self._watch = watch
        self._bytes = bytearray()

    @property
    def any_event(self) -> bool:
        return self._watch.tap.any_event

    def read(self, timeout_s: float) -> Refused | None:
        """Read once. A time limit that has passed still takes what is there."""
        try:
            chunk = self._answer.read1(max(0.0, timeout_s))
        except UpstreamBroken as broken:
            return self._refused("broken", str(broken))
        except UpstreamIdle as idle:
            return self._refused("idle", str(idle))
        if chunk:
            self._bytes += chunk
            self._watch.feed(chunk)
        elif chunk is not None:
            self._watch.finish()
            if not self._watch.tap.content and self._watch.error is None:
                return self._ended()
        return self._error()

    def is_worth_committing(self) -> bool:
        blind = self._watch.blind and bool(self._bytes)
        return self._watch.tap.content or blind or len(self._bytes) >= MAX_HELD_BYTES

    def committed(self) -> Committed:
        return Committed(bytes(self._bytes), self._watch)

    def _error(self) -> Refused | None:
        report, tap = self._watch.error, self._watch.tap
        if report is None or tap.content:
            return None
        return Refused("error_event", report.type, report.message, tap.error_document, tap.usage)

    def _ended(self) -> Refused:
        if self._bytes:
            return self._refused("ended", "the stream ended before its first content")
        return self._refused("empty", "the stream is empty")

    def _refused(self, kind: RefusalKind, message: str) -> Refused:
        return Refused(kind, message=message, usage=self._watch.usage)


def media_type(content_type: str) -> str:
    """The type of a `content-type` header, lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def _plain(answer: Answer, watch: PlainWatch) -> Committed | Refused:
    held = bytearray()
    while len(held) < MAX_HELD_BYTES:
        try:
            chunk = answer.read1()
        except UpstreamBroken as broken:
            return Refused("broken", message=str(broken))
        except UpstreamIdle as idle:
            return Refused("idle", message=str(idle))
        if chunk == b"":
            return _judged(bytes(held), watch)
        if chunk:
            held += chunk
            watch.feed(chunk)
    return Committed(bytes(held), watch)


def _judged(held: bytes, watch: PlainWatch) -> Committed | Refused:
    if not held:
        return Refused("empty", message="the answer is empty")
    report = error_report(watch.document)
    if report is None:
        return Committed(held, watch, complete=True)
    return Refused("error_json", report.type, report.message, watch.document, watch.usage)
