"""Edit: change one value of a JSON body and leave every other byte as it came.

`members` finds where the values of the top level stand. msgspec reads the body once, in C, into
raw slices without building an object; a walk over the top level then turns the slices into
positions:

    {"model" : "claude-x", "messages": […]}
    ^ a key, jump by the length of its slice, a comma, the next key …

The walk takes one step for each *different* key, so it ends at the closing brace exactly when no
key stands twice. Where one does, which is rare, a slower walk finds its own way over the values; a
name that stands twice has no one meaning and counts as not there.

Not done here: judging what a body says. One that is not readable is forwarded as it is
(behaviour 4.6).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

_OPEN: Final = re.compile(rb"[ \t\r\n]*\{")
_KEY: Final = re.compile(rb'[ \t\r\n]*"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
# A string, a bracket, or a number or word: what a value is made of, but for commas and colons.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|[^\s"\[\]{},:]+', re.DOTALL)
_COMMA: Final = re.compile(rb"[ \t\r\n]*,")
_END: Final = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")

# JavaScript writes half a character as a lone surrogate escape when a string was cut, and msgspec
# refuses it. Another escape of the same length keeps every position; values are taken from the
# body itself.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_STAND_IN: Final = rb"\\u0041"

_SLICES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Members:
    """Where the values of a body's top level stand."""

    body: bytes
    spans: Mapping[str, tuple[int, int]]

    def span(self, name: str) -> tuple[int, int] | None:
        """Start and end of the value of `name` in the body, without the space around it."""
        return self.spans.get(name)

    def get(self, name: str) -> bytes | None:
        """The value of `name` as it is written."""
        span = self.spans.get(name)
        return None if span is None else self.body[span[0] : span[1]]

    def string(self, name: str) -> str | None:
        """The value of `name` if it is a string that stands for text."""
        raw = self.get(name)
        if raw is None or not raw.startswith(b'"'):
            return None
        try:
            return _STRING.decode(raw)
        except _UNREADABLE:
            return None


def members(body: bytes) -> Members | None:
    """The members of a JSON object, or None.

    None: no object, malformed, or nested deeper than the parser goes. A key that stands twice is
    no member.
    """
    try:
        return _located(body, _SLICES.decode(body), body)
    except _UNREADABLE:
        pass
    patched = _SURROGATE.sub(_STAND_IN, body)
    if patched == body:
        return None
    try:
        return _located(body, _SLICES.decode(patched), patched)
    except _UNREADABLE:
        return None


def replace(body: bytes, span: tuple[int, int], value: bytes) -> bytes:
    """The body with `value` where `span` was."""
    return b"".join((body[: span[0]], value, body[span[1] :]))


def string_json(text: str) -> bytes:
    """A text as a JSON string, in ASCII."""
    return json.dumps(text).encode("ascii")


def _located(body: bytes, slices: Mapping[str, msgspec.Raw], read: bytes) -> Members | None:
    """The positions of `slices` in `read`, the text they were cut from, which is sound JSON."""
    spans = _walked(slices, read)
    return Members(body, _scanned(read) if spans is None else spans)


def _walked(slices: Mapping[str, msgspec.Raw], read: bytes) -> Mapping[str, tuple[int, int]] | None:
    """The spans by the lengths of the slices; None if a key stands twice."""
    return _compact(slices, len(read)) or _spaced(slices, read)


def _compact(slices: Mapping[str, msgspec.Raw], length: int) -> Mapping[str, tuple[int, int]]:
    """The spans in a text of `length` bytes without blanks, as nearly all clients write it.

    Empty if it is none: blanks, escapes in keys and keys that stand twice all make a text longer
    than the sum of its different keys and values, and nothing makes it shorter.
    """
    position = len("{")
    spans: dict[str, tuple[int, int]] = {}
    for name, raw in slices.items():
        start = position + len(name) + len('"":')
        position = start + memoryview(raw).nbytes + len(",")
        spans[name] = (start, position - len(","))
    return spans if position == length else {}


def _spaced(slices: Mapping[str, msgspec.Raw], read: bytes) -> Mapping[str, tuple[int, int]] | None:
    opened = _OPEN.match(read)
    if opened is None:
        return None
    position = opened.end()
    spans: dict[str, tuple[int, int]] = {}
    for name, raw in slices.items():
        if spans:
            comma = _COMMA.match(read, position)
            if comma is None:
                return None
            position = comma.end()
        key = _KEY.match(read, position)
        if key is None or not read.startswith(raw, key.end()):
            return None
        position = key.end() + len(memoryview(raw))
        spans[name] = (key.end(), position)
    return spans if _END.fullmatch(read, position) else None


def _scanned(read: bytes) -> Mapping[str, tuple[int, int]]:
    """The spans of the keys that stand once, found value by value."""
    spans: dict[str, tuple[int, int]] = {}
    twice: set[str] = set()
    opened = _OPEN.match(read)
    position = opened.end() if opened else len(read)
    while key := _KEY.match(read, position):
        name = _STRING.decode(key.group().rstrip(b" \t\r\n:"))
        end = _value_end(read, key.end())
        if name in spans:
            twice.add(name)
        spans[name] = (key.end(), end)
        comma = _COMMA.match(read, end)
        position = comma.end() if comma else len(read)
    return {name: span for name, span in spans.items() if name not in twice}


def _value_end(read: bytes, start: int) -> int:
    """Where the value ends that begins at `start`."""
    depth = 0
    for token in _TOKEN.finditer(read, start):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
        if depth <= 0:
            return token.end()
    return len(read)
