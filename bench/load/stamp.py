"""The time of writing inside each event's text: put in by the upstream, found by the load.

    …"text":"~0000017123456789012."}}

A stamp has one length, so an event's framing can be made once; it has marks of its own, so it is
found without parsing anything, also in what a gateway has written anew. Linux gives all processes
the same monotonic clock.
"""

import re
import time
from collections.abc import Sequence
from typing import Final

LENGTH: Final = 21
_OPENS: Final = b"~"
_CLOSES: Final = b"."
# Between the marks there may be the border of two HTTP chunks, too: gateways put them anywhere.
_FOUND: Final = re.compile(rb"~([0-9a-fA-F\r\n]{19,60})\.")
_BORDER: Final = re.compile(rb"\r\n[0-9a-fA-F]+\r\n")


def now() -> bytes:
    """The stamp of this moment."""
    return b"~%019d." % time.monotonic_ns()


def find(data: bytes) -> Sequence[int]:
    """The nanosecond of each whole stamp in a piece of an answer, framing and all."""
    found: list[bytes] = _FOUND.findall(data)
    try:
        return [int(each) for each in found]
    except ValueError:
        return [int(_BORDER.sub(b"", each)) for each in found]


def unfinished(data: bytes) -> bytes:
    """The end of a piece that may be the beginning of a stamp."""
    opens = data.rfind(_OPENS)
    if opens < 0 or data.find(_CLOSES, opens) >= 0:
        return b""
    return data[opens:]
