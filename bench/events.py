"""The events of the benchmarks' streams: one text message whose deltas carry a given word.

Upstream and client both build on it, so a client can say which bytes a stream must have had.
"""

import re
from collections.abc import Iterable
from typing import Final

OPENING: Final = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_bench",'
    b'"type":"message","role":"assistant","model":"claude-opus-5-5","content":[],'
    b'"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
CLOSING: Final = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
    b'"stop_sequence":null},"usage":{"output_tokens":12}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
WORD: Final = re.compile(rb'"text_delta","text":"([^"]*)"')


def delta(word: str) -> bytes:
    """One `content_block_delta` whose text is `word`."""
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"%b"}}\n\n' % word.encode()
    )


def stream(words: Iterable[str]) -> bytes:
    """A whole stream with these deltas."""
    return OPENING + b"".join(map(delta, words)) + CLOSING


PLAIN: Final = (
    b'{"id":"msg_bench","type":"message","role":"assistant","model":"claude-opus-5-5",'
    b'"content":[{"type":"text","text":"done"}],"stop_reason":"end_turn","stop_sequence":null,'
    b'"usage":{"input_tokens":12,"output_tokens":12}}'
)
"""The same kind of message as a plain answer."""
