"""Passing: move chunks of mere content from socket to socket, unparsed.

Called once an event, so it is also written in C (`_passing.c`): in a third of the time. Where that
has not been compiled, for want of a compiler, the functions below are used; both are the same.
"""

import os
import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

READ_BYTES: Final = 64 << 10
"""One read; the kernel seldom has more ready."""

# As many hex digits as READ_BYTES has: no chunk with a longer size has arrived whole.
_SIZE: Final = re.compile(rb"([1-9a-f][0-9a-f]{0,4})\r\n")

Passed: TypeAlias = Literal[True] | bytes | tuple[bytes, int] | None
"""What became of what has arrived: True: it could pass, and went out whole. Bytes: it could not,
b"" is the end; nothing was written. A pair: it could pass, and so many of its bytes went out;
whoever writes the rest meets the error, if that was why. None: nothing has arrived."""


def is_content_in_python(data: bytes) -> bool:
    """Whether whole events, in a block that has begun, say nothing but more of its content.

    Not the frame of the message, no error, and nothing that begins or signs a block.
    """
    return (  # `rfind` takes half the time of `in`
        data.rfind(b"message_") < 0
        and data.rfind(b"error") < 0
        and data.rfind(b"block_start") < 0
        and data.rfind(b"signature_") < 0
    )


def may_pass_in_python(data: bytes) -> bool:
    """Whether this is nothing but chunks, framed as we would, of whole events of mere content."""
    at = 0
    while at < len(data):
        size = _SIZE.match(data, at)
        if size is None:
            return False
        at = size.end() + int(size[1], 16) + len(b"\r\n")
        if data[at - 4 : at] != b"\n\n\r\n" or at - 4 < size.end():
            return False
    return bool(data) and is_content_in_python(data)


def pass_on_in_python(source: int, to: int) -> Passed:
    """Read what has arrived at one descriptor, and write it to the other if it `may_pass`.

    Never waits. Raises: `OSError` of the reading side.
    """
    try:
        data = os.read(source, READ_BYTES)
    except BlockingIOError:
        return None
    if not may_pass_in_python(data):
        return data
    try:
        written = os.write(to, data)
    except OSError:
        return data, 0
    return True if written == len(data) else (data, written)


is_content: Callable[[bytes], bool]
may_pass: Callable[[bytes], bool]
pass_on: Callable[[int, int], Passed]
try:
    from relay.stream._passing import is_content, may_pass, pass_on
except ImportError:
    is_content = is_content_in_python
    may_pass, pass_on = may_pass_in_python, pass_on_in_python
