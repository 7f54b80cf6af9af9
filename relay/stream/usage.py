"""Usage: the two taps that count, one for a stream of events and one for a plain body.

`UsageTap` reads each event once for everybody who asks: the gate (has content begun?), the body
(may a ping go here? was that the end?), the account (tokens) and the memory of thinking blocks. It
parses `message_start`, `message_delta`, `error`, and what begins or signs a block. In the long
middle of a stream a chunk that ends an event and names none of these (`passing.is_content`) costs
three searches and no parsing at all.
"""

from typing import Final

from relay.messages import events, sse, thinking, usage
from relay.messages.events import ErrorReport
from relay.messages.usage import NO_USAGE, Usage
from relay.stream.decode import Decoder, Identity
from relay.stream.passing import is_content
from relay.stream.signatures import Signatures

# A plain message is kept whole up to here; of a longer one, the end.
MAX_PLAIN_BYTES: Final = 1 << 20
_TAIL_BYTES: Final = 16 << 10


class UsageTap:
    """What the events of one message say. May raise, for instance `DecodeFailed`: guard it."""

    def __init__(self, decoder: Decoder, *, reads_text: bool = False) -> None:
        """`reads_text`: thinking blocks without a signature are known by their text."""
        self._decoder = None if isinstance(decoder, Identity) else decoder
        self._signatures = Signatures(reads_text=reads_text)
        self.splitter = sse.EventSplitter()
        self._begun = False
        self.usage = NO_USAGE
        self.any_event = False
        """An event has come, be it a ping."""
        self.content = False
        """The first content event is complete (behaviour 8.4)."""
        self.stopped = False
        """`message_stop` has come: the message is complete."""
        self.error: ErrorReport | None = None
        """What the first `error` event said."""
        self.error_document = b""
        """The data of that event."""

    @property
    def at_boundary(self) -> bool:
        """Between two complete events."""
        return self.splitter.at_boundary

    @property
    def in_content(self) -> bool:
        """Events that end here with their chunk and are `is_content` change nothing."""
        reads = self._signatures.is_reading
        return self.content and self._begun and self.splitter.is_empty and not reads

    @property
    def thinking(self) -> tuple[bytes, ...]:
        """The digests of the thinking blocks that are finished."""
        return self._signatures.digests

    @property
    def begun_block(self) -> bool:
        """A content block had begun; an event too long to keep can be nothing else."""
        return self._begun or self.splitter.uncounted > 0

    def feed(self, chunk: bytes) -> None:
        plain = chunk if self._decoder is None else self._decoder.feed(chunk)
        if plain.endswith(b"\n\n") and is_content(plain) and self.in_content:
            return  # it says nothing we need
        for event in self.splitter.feed(plain):
            self._see(event)

    def finish(self) -> None:
        """The body has ended: an event of which only the empty line is missing counts too."""
        event = self.splitter.unfinished
        if sse.has_whole_data(event):
            self._see(event)

    def _see(self, event: bytes) -> None:
        kind = sse.event_type(event)
        if not kind:
            return
        self.any_event = True
        match kind:
            case events.CONTENT_BLOCK_DELTA:
                self.content = self.content or self._begun
                if self._signatures.is_open:
                    self._signatures.delta(event)
            case events.CONTENT_BLOCK_STOP:
                self.content = self.content or self._begun
                self._signatures.stop()
            case events.CONTENT_BLOCK_START:
                self._begun = True
                self._signatures.start(event)
            case _:
                self._see_frame(kind, event)

    def _see_frame(self, kind: str, event: bytes) -> None:
        """What stands around the blocks of a message."""
        match kind:
            case events.MESSAGE_START:
                self.usage = usage.from_start(sse.data(event), self.usage)
            case events.MESSAGE_DELTA:
                self.content = True
                self.usage = usage.from_message(sse.data(event), self.usage)
            case events.MESSAGE_STOP:
                self.content = self.stopped = True
            case events.ERROR if self.error is None:
                self.error_document = sse.data(event)
                report = events.error_report(self.error_document)
                self.error = report or ErrorReport("", "")


class PlainUsageTap:
    """A bounded copy of a plain body. May raise, for instance `DecodeFailed`: guard it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._copy = bytearray()
        self._whole = True
        self._usage: Usage | None = None

    @property
    def document(self) -> bytes:
        """The body so far, or empty if it is too long to be kept."""
        return bytes(self._copy) if self._whole else b""

    @property
    def usage(self) -> Usage:
        """The tokens of the message, if the body is one."""
        if self._usage is None:
            document = bytes(self._copy)
            whole = self._whole
            self._usage = (
                usage.from_message(document, NO_USAGE) if whole else usage.from_tail(document)
            )
        return self._usage

    @property
    def thinking(self) -> tuple[bytes, ...]:
        """The digests of the thinking blocks of the message, if the body is one."""
        return thinking.digests_of_message(self.document)

    def feed(self, chunk: bytes) -> None:
        self._usage = None
        self._copy += self._decoder.feed(chunk)
        if len(self._copy) > MAX_PLAIN_BYTES:
            self._whole = False
            del self._copy[:-_TAIL_BYTES]
