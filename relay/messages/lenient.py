"""Read a few fields of a value that others will judge.

What we look up in a body is for routing; whether the body is sound is for the upstream to say. So
what cannot be read is None here, and no error.
"""

import re
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

# JavaScript writes half a character as a lone surrogate escape when a string was cut, and msgspec
# refuses it. Another escape of the same length keeps every position.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_STAND_IN: Final = rb"\\u0041"

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises on text from outside."""


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T | None:
    """What the value says, as far as the decoder's type asks; None if it is of another shape.

    A string with half a character in it has other letters there.
    """
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        pass
    patched = without_surrogates(raw)
    if patched == raw:
        return None
    try:
        return decoder.decode(patched)
    except UNREADABLE:
        return None


def without_surrogates(raw: bytes) -> bytes:
    """The same text, of the same length, with other escapes where surrogates were."""
    return _SURROGATE.sub(_STAND_IN, raw)
