"""Passing: move one chunk of mere content from socket to socket, unparsed.

Called once an event, so it is also written in C (`_passing.c`): in a third of the time. Where that
has not been compiled, for want of a compiler, the functions below are used; both are the same.
"""

import os
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from relay.stream.usage import is_content

READ_BYTES: Final = 64 << 10
"""One read; the kernel seldom has more ready."""

Passed: TypeAlias = Literal[True] | bytes | tuple[bytes, int] | None
"""What became of what has arrived: True, it was a chunk of content, and went out whole. Bytes: it
was something else, b"" the end; nothing was written. A pair: it was such a chunk, and so many of
its bytes went out; whoever writes the rest meets the error, if that was why. None: nothing has
arrived."""


def is_content_chunk_in_python(data: bytes) -> bool:
    """Whether this is exactly one chunk, framed as we would, of whole events of mere content."""
    size = data.find(b"\r\n")
    return (
        data.endswith(b"\n\n\r\n")
        and data.startswith(b"%x\r\n" % (len(data) - size - len(b"\r\n\r\n")))
        and is_content(data)
    )


def pass_on_in_python(source: int, to: int) -> Passed:
    """Read what has arrived at one descriptor, and write it to the other if it may pass.

    Never waits. Raises: `OSError` of the reading side.
    """
    try:
        data = os.read(source, READ_BYTES)
    except BlockingIOError:
        return None
    if not is_content_chunk_in_python(data):
        return data
    try:
        written = os.write(to, data)
    except OSError:
        return data, 0
    return True if written == len(data) else (data, written)


is_content_chunk: Callable[[bytes], bool]
pass_on: Callable[[int, int], Passed]
try:
    from relay.stream._passing import is_content_chunk, pass_on
except ImportError:
    is_content_chunk, pass_on = is_content_chunk_in_python, pass_on_in_python
