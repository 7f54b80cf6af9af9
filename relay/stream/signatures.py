"""Signatures: what the thinking blocks of a passing answer are known by (behaviour 11.1).

    content_block_start   redacted, or signed from the start ► its digest
    signature_delta       ────────────────────────────────────► its digest; a later one replaces it,
                                                               as the SDKs do
    thinking_delta        hashed as it comes, if asked for ──► at content_block_stop, if no
                                                               signature has come

Who signs every block need not be read closely: the text is most of an answer, and passes unseen
(`passing.is_content`). No text is kept.
"""

import json
from typing import Final

import msgspec

from relay.messages import digest, sse
from relay.messages.digest import TextDigest
from relay.messages.lenient import UNREADABLE
from relay.stream.passing import is_content

# No message has near as many; a stream that says otherwise is not remembered further.
_MOST_BLOCKS: Final = 1024


class _Said(msgspec.Struct, frozen=True):
    type: object = None
    signature: object = None
    thinking: object = None
    data: object = None


_NOTHING: Final = _Said()


class _Event(msgspec.Struct):
    content_block: _Said = _NOTHING
    delta: _Said = _NOTHING


_EVENT: Final = msgspec.json.Decoder(_Event)


class Signatures:
    """Collects the digests of one message from the events of its blocks."""

    def __init__(self, *, reads_text: bool) -> None:
        """`reads_text`: also those of blocks without a signature."""
        self._reads_text = reads_text
        self._found: dict[int, bytes] = {}  # by the number of the block
        self._number = 0  # blocks follow one another
        self._text = TextDigest()
        self.is_open = False
        """A thinking block is open: `delta` is to be called. A stop that went by unseen leaves it
        so until the next start, which nobody misses."""
        self.is_reading = False
        """Its text counts: no event may go by unseen."""

    @property
    def digests(self) -> tuple[bytes, ...]:
        """Of the blocks that are finished, in their order."""
        return tuple(self._found.values())

    def start(self, event: bytes) -> None:
        """See a `content_block_start`."""
        block = _read(event).content_block
        self._number += 1
        self._text = TextDigest()
        self.is_open = block.type == "thinking"
        self.is_reading = self.is_open and self._reads_text
        if self.is_open:
            self._see(block)
        elif block.type == "redacted_thinking" and isinstance(block.data, str) and block.data:
            self._keep(digest.of_redacted(block.data))

    def delta(self, event: bytes) -> None:
        """See a `content_block_delta` of a block that `is_open`."""
        if self.is_reading or not is_content(event):
            self._see(_read(event).delta)

    def stop(self) -> None:
        """See a `content_block_stop`."""
        if self.is_reading and not self._text.is_empty:
            self._keep(self._text.digest())
        self.is_open = self.is_reading = False

    def _see(self, said: _Said) -> None:
        if isinstance(said.signature, str) and said.signature:
            self.is_reading = False
            self._keep(digest.of_signature(said.signature))
        elif self.is_reading and isinstance(said.thinking, str):
            self._text.add(said.thinking)

    def _keep(self, found: bytes) -> None:
        if self._number <= _MOST_BLOCKS:
            self._found[self._number] = found


def _read(event: bytes) -> _Event:
    data = sse.data(event)
    try:
        return _EVENT.decode(data)
    except UNREADABLE:
        pass
    try:  # half a character, which the fast parser refuses
        return msgspec.convert(json.loads(data), _Event)
    except (*UNREADABLE, ValueError):
        return _Event()
