"""Edit: change values of a JSON body and leave every other byte as it came.

`members` finds where the values of the top level stand. msgspec reads the body once, in C, into
raw slices without building an object; a walk over the top level then turns the slices into
positions:

    {"model" : "claude-x", "messages": […]}
    ^ a key, jump by the length of its slice, a comma, the next key …

The walk takes one step for each *different* key, so it ends at the closing brace exactly when no
key stands twice. Where one does, which is rare, a slower walk finds its own way over the values; a
name that stands twice has no one meaning and counts as not there.

`elements` does the same for an array. What is to be changed is a list of `Edit`s, made by hand or
by `without`, which takes elements or members out with their commas; `edited` makes them all at
once.

Not done here: judging what a body says. One that is not readable is forwarded as it is
(behaviour 4.6).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from relay.messages.lenient import UNREADABLE, decoded, without_surrogates

T = TypeVar("T")

_OPEN: Final = re.compile(rb"[ \t\r\n]*\{")
_KEY: Final = re.compile(rb'[ \t\r\n]*"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
# A string, a bracket, or a number or word: what a value is made of, but for commas and colons.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|[^\s"\[\]{},:]+', re.DOTALL)
_COMMA: Final = re.compile(rb"[ \t\r\n]*,")
_END: Final = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_SPACE: Final = re.compile(rb"[ \t\r\n]*")

_SLICES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)

Span: TypeAlias = tuple[int, int]
"""Start and end of a value in a body, without the space around it."""

Edit: TypeAlias = tuple[int, int, bytes]
"""Start and end of what goes, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Members:
    """Where the values of a body's top level stand."""

    body: bytes
    spans: Mapping[str, Span]
    _arrays: dict[str, tuple[Span, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, read: Callable[["Members"], T]) -> T:
        """What `read` makes of this body; asked for again, the same."""
        if name not in self._read:
            self._read[name] = read(self)
        found: T = self._read[name]
        return found

    def span(self, name: str) -> Span | None:
        """Start and end of the value of `name` in the body, without the space around it."""
        return self.spans.get(name)

    def elements(self, name: str) -> tuple[Span, ...]:
        """Where the elements of the array `name` stand; none if it is no array. Looked for once."""
        found = self._arrays.get(name)
        if found is None:
            span = self.spans.get(name)
            found = self._arrays[name] = () if span is None else elements(self.body, span)
        return found

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
        except UNREADABLE:
            return None


def members(body: bytes) -> Members | None:
    """The members of a JSON object, or None.

    None: no object, malformed, or nested deeper than the parser goes. A key that stands twice is
    no member.
    """
    try:
        return _located(body, _SLICES.decode(body), body)
    except UNREADABLE:
        pass
    patched = without_surrogates(body)  # positions stay; values are taken from the body itself
    if patched == body:
        return None
    try:
        return _located(body, _SLICES.decode(patched), patched)
    except UNREADABLE:
        return None


def elements(body: bytes, span: Span) -> tuple[Span, ...]:
    """Where the elements of the array at `span` stand; none if there is no readable array."""
    read = body[span[0] : span[1]]
    slices = decoded(_ELEMENTS, read)
    if slices is None:
        return ()
    lengths = [memoryview(raw).nbytes for raw in slices]
    return tuple(_counted(lengths, span) or _laid_out(lengths, read, span[0]))


def pairs(members: Members) -> list[tuple[str | None, Span]]:
    """Where each member stands, from its key to the end of its value, in the order of the body.

    Without a name: those that are no member of `members`.
    """
    names = {span: name for name, span in members.spans.items()}
    ends = dict(members.spans.values())
    return [(names.get((start, end)), (key, end)) for key, start, end in _pairs(members.body, ends)]


def replace(body: bytes, span: Span, value: bytes) -> bytes:
    """The body with `value` where `span` was."""
    return b"".join((body[: span[0]], value, body[span[1] :]))


def without(spans: Sequence[Span], out: Collection[int]) -> list[Edit]:
    """The edits that take out some of the elements of an array, or of the `pairs` of an object.

    `spans`: all of them. `out`: the places in `spans` of those that go.
    """
    edits: list[Edit] = []
    out = frozenset(out)
    kept_end = begun = ended = -1
    for place, (start, end) in enumerate(spans):
        if place in out:
            if begun < 0:
                begun = start if kept_end < 0 else kept_end
            ended = end
            continue
        if begun >= 0:
            edits.append((begun, start if kept_end < 0 else ended, b""))
            begun = -1
        kept_end = end
    if begun >= 0:
        edits.append((begun, ended, b""))
    return edits


def edited(body: bytes, edits: Iterable[Edit]) -> bytes:
    """The body after edits that do not overlap, in any order."""
    pieces: list[bytes] = []
    position = 0
    for start, end, value in sorted(edits):
        pieces += (body[position:start], value)
        position = end
    return b"".join((*pieces, body[position:]))


def string_json(text: str) -> bytes:
    """A text as a JSON string, in ASCII."""
    return json.dumps(text).encode("ascii")


def _located(body: bytes, slices: Mapping[str, msgspec.Raw], read: bytes) -> Members | None:
    """The positions of `slices` in `read`, the text they were cut from, which is sound JSON."""
    spans = _walked(slices, read)
    return Members(body, _scanned(read) if spans is None else spans)


def _walked(slices: Mapping[str, msgspec.Raw], read: bytes) -> Mapping[str, Span] | None:
    """The spans by the lengths of the slices; None if a key stands twice."""
    return _compact(slices, len(read)) or _spaced(slices, read)


def _compact(slices: Mapping[str, msgspec.Raw], length: int) -> Mapping[str, Span]:
    """The spans in a text of `length` bytes without blanks, as nearly all clients write it.

    Empty if it is none: blanks, escapes in keys and keys that stand twice all make a text longer
    than the sum of its different keys and values, and nothing makes it shorter.
    """
    position = len("{")
    spans: dict[str, Span] = {}
    for name, raw in slices.items():
        start = position + len(name) + len('"":')
        position = start + memoryview(raw).nbytes + len(",")
        spans[name] = (start, position - len(","))
    return spans if position == length else {}


def _spaced(slices: Mapping[str, msgspec.Raw], read: bytes) -> Mapping[str, Span] | None:
    opened = _OPEN.match(read)
    if opened is None:
        return None
    position = opened.end()
    spans: dict[str, Span] = {}
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


def _scanned(read: bytes) -> Mapping[str, Span]:
    """The spans of the keys that stand once, found value by value."""
    spans: dict[str, Span] = {}
    twice: set[str] = set()
    for key, start, end in _pairs(read, {}):
        name = _STRING.decode(read[key:start].rstrip(b" \t\r\n:"))
        if name in spans:
            twice.add(name)
        spans[name] = (start, end)
    return {name: span for name, span in spans.items() if name not in twice}


def _pairs(read: bytes, known: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """Start of the key, start and end of the value, of each member.

    `known`: ends of values by their starts, so that these need not be gone through.
    """
    opened = _OPEN.match(read)
    position = opened.end() if opened else len(read)
    while key := _KEY.match(read, position):
        start = key.end()
        end = known.get(start) or _value_end(read, start)
        yield _after_space(read, position), start, end
        comma = _COMMA.match(read, end)
        position = comma.end() if comma else len(read)


def _counted(lengths: Sequence[int], span: Span) -> list[Span]:
    """The spans in an array without blanks, by the lengths alone; empty if it has some."""
    position = span[0] + len("[")
    spans = []
    for length in lengths:
        spans.append((position, position + length))
        position += length + len(",")
    return spans if position == span[1] else []


def _laid_out(lengths: Sequence[int], read: bytes, offset: int) -> Iterator[Span]:
    """The spans in an array written with blanks; `read` begins with its bracket."""
    position = 0
    for length in lengths:
        position = _after_space(read, position + 1)  # behind the bracket or the comma
        yield offset + position, offset + position + length
        position = _after_space(read, position + length)


def _after_space(read: bytes, position: int) -> int:
    space = _SPACE.match(read, position)
    return space.end() if space else position


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
