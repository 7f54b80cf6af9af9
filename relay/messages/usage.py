"""Usage: the tokens of a message, as the upstream counts them.

A stream tells them twice: `message_start` opens with what went in, and each `message_delta` gives
the *total so far*. A later figure replaces an earlier one; nothing is ever added up. What is no
figure (negative, text, null) is ignored: counting must not fail a stream.
"""

import json
from dataclasses import dataclass, replace
from typing import Final

import msgspec

_FIELDS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# Far over any real count, and safe in every store and language a count is written to.
_MOST_TOKENS: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one message; input excludes what the cache gave or took."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0


NO_USAGE: Final = Usage()
"""Nothing counted."""


class _Counted(msgspec.Struct):
    usage: object = None


class _Document(msgspec.Struct):
    """A message, a `message_start` or a `message_delta`; the rest is not even built."""

    usage: object = None
    message: msgspec.Raw = msgspec.Raw(b"null")


_DOCUMENT: Final = msgspec.json.Decoder(_Document)
_COUNTED: Final = msgspec.json.Decoder(_Counted)
_USAGE_NAME: Final = b'"usage":'
_JSON: Final = json.JSONDecoder()


def merged(usage: Usage, counts: object) -> Usage:
    """`usage` with each figure that `counts`, a decoded `usage` object, really names."""
    if not isinstance(counts, dict):
        return usage
    found = {
        field: counts[name]
        for name, field in _FIELDS.items()
        if type(counts.get(name)) is int and 0 <= counts[name] < _MOST_TOKENS
    }
    return replace(usage, **found) if found else usage


def from_start(document: bytes, usage: Usage) -> Usage:
    """`usage` after the data of a `message_start`."""
    try:
        return merged(usage, _COUNTED.decode(_DOCUMENT.decode(document).message).usage)
    except _UNREADABLE:
        return usage


def from_message(document: bytes, usage: Usage) -> Usage:
    """`usage` after the data of a `message_delta`, or of a whole plain message."""
    try:
        return merged(usage, _DOCUMENT.decode(document).usage)
    except _UNREADABLE:
        return usage


def from_tail(tail: bytes) -> Usage:
    """The usage in the last bytes of a message too long to keep, where it mostly stands.

    Inside a string the quotes would be escaped, so the last `"usage":` is a member's name.
    """
    text = tail[tail.rfind(_USAGE_NAME) :].decode("utf-8", "replace")
    if not text.startswith(_USAGE_NAME.decode()):
        return NO_USAGE
    try:
        counts, _ = _JSON.raw_decode(text, len(_USAGE_NAME))
    except (ValueError, RecursionError):
        return NO_USAGE
    return merged(NO_USAGE, counts)
