"""Watch: what the gate and the body know of the bytes they pass on.

Two kinds answer the same questions: `StreamWatch` for a message as events, `PlainWatch` for any
other body. A watch that cannot read its bytes (an unknown coding, or its tap was dropped) is
*blind*: the stream goes on, and nothing is written into it or concluded from it.
"""

from typing import Protocol

from relay.messages.events import ErrorReport
from relay.messages.usage import Usage
from relay.stream.decode import Identity, decoder
from relay.stream.tap import GuardedTap
from relay.stream.usage import PlainUsageTap, UsageTap


class Watch(Protocol):
    """What one body has shown so far."""

    events: bool
    """The body is server-sent events."""

    def feed(self, chunk: bytes) -> None:
        """See the next bytes; never raises."""
        ...

    def finish(self) -> None:
        """See the proper end of the upstream's body; never raises."""
        ...

    @property
    def usage(self) -> Usage:
        """The tokens counted so far."""
        ...

    @property
    def thinking(self) -> tuple[bytes, ...]:
        """The digests of the thinking blocks seen complete so far (behaviour 11.1)."""
        ...

    @property
    def coded(self) -> bool:
        """The bytes are compressed."""
        ...

    @property
    def writable(self) -> bool:
        """An event of our own may be written now."""
        ...

    @property
    def stopped(self) -> bool:
        """The message is complete, whatever the upstream does next."""
        ...

    @property
    def over(self) -> bool:
        """Stopped, or oversized: asked once a chunk."""
        ...

    @property
    def in_content(self) -> bool:
        """A chunk of whole events that say only content (`passing.is_content`) need not be fed."""
        ...

    @property
    def whole(self) -> bool:
        """If the upstream ends properly now, the body is what it meant to send."""
        ...

    @property
    def error(self) -> ErrorReport | None:
        """The error that the upstream itself put into the body."""
        ...

    @property
    def oversized(self) -> bool:
        """The body holds an event no message has."""
        ...

    @property
    def begun_block(self) -> bool:
        """A content block has begun."""
        ...


class StreamWatch(GuardedTap):
    """Watches a message as server-sent events; `content_encoding` as its header says.

    `reads_text`: whether thinking blocks without a signature are to be known, too. Their events
    then take the longer way.
    """

    events = True

    def __init__(self, content_encoding: str = "", *, reads_text: bool = False) -> None:
        decoding = decoder(content_encoding)
        self.tap = UsageTap(decoding or Identity(), reads_text=reads_text)
        super().__init__(self.tap)
        self.dropped = decoding is None
        self._compressed = not isinstance(decoding, Identity)

    def finish(self) -> None:
        if not self.dropped:
            self.tap.finish()

    @property
    def blind(self) -> bool:
        """The bytes cannot be read."""
        return self.dropped

    @property
    def usage(self) -> Usage:
        return self.tap.usage

    @property
    def thinking(self) -> tuple[bytes, ...]:
        return self.tap.thinking

    @property
    def coded(self) -> bool:
        return self._compressed

    @property
    def writable(self) -> bool:
        done = self.tap.stopped or self.tap.error is not None
        return not (self._compressed or self.dropped or done) and self.tap.at_boundary

    @property
    def stopped(self) -> bool:
        return self.tap.stopped

    @property
    def over(self) -> bool:
        return self.tap.stopped or self.tap.splitter.oversized

    @property
    def in_content(self) -> bool:
        return self.tap.in_content and not (self._compressed or self.dropped)

    @property
    def whole(self) -> bool:
        return self.dropped or self.tap.stopped or self.tap.error is not None

    @property
    def error(self) -> ErrorReport | None:
        return self.tap.error

    @property
    def oversized(self) -> bool:
        return self.tap.splitter.oversized

    @property
    def begun_block(self) -> bool:
        return self.tap.begun_block


class PlainWatch(GuardedTap):
    """Watches any other body: its end is where the upstream ends it, and nothing may be added."""

    events = False
    coded = False
    writable = False
    stopped = False
    over = False
    in_content = False
    whole = True
    error = None
    oversized = False
    begun_block = False

    def __init__(self, content_encoding: str = "") -> None:
        decoding = decoder(content_encoding)
        self._copy = PlainUsageTap(decoding or Identity())
        super().__init__(self._copy)
        self.dropped = decoding is None

    def finish(self) -> None:
        """The copy is complete as it is."""

    @property
    def usage(self) -> Usage:
        return self._copy.usage

    @property
    def thinking(self) -> tuple[bytes, ...]:
        return () if self.dropped else self._copy.thinking

    @property
    def document(self) -> bytes:
        """The readable body so far, or empty if it is too long or cannot be read."""
        return b"" if self.dropped else self._copy.document
