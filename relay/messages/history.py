"""History: the assistant turns of a request, as far as their blocks decide anything.

Only messages with `role: "assistant"` and list content are turns here (behaviour 11.3). A body has
a megabyte of other things, so nothing is read but messages that hold a word which a block of
interest must hold: `bytes.rfind` finds it faster than any parser passes over the rest. Where the
blocks stand is looked for only in turns that are to be changed.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from relay.messages import digest, edit
from relay.messages.edit import Span
from relay.messages.lenient import UNREADABLE, decoded

_THINKS: Final = b'thinking"'  # the end of both types
_SIGNED: Final = b'"signature"'
_EMPTY: Final = msgspec.Raw(b'""')


class Block(msgspec.Struct, frozen=True):
    """One content block: what it says of itself, if it does so in a string."""

    type: object = None
    signature: object = msgspec.UNSET
    thinking: object = None
    data: object = None
    text: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def thinks(self) -> bool:
        """It is a thinking or a redacted block."""
        return self.type == "thinking" or self.type == "redacted_thinking"  # noqa: PLR1714  unhashable types come, too

    @property
    def is_empty_text(self) -> bool:
        """It is a text block without a character."""
        return self.type == "text" and self.text == _EMPTY

    @property
    def is_signed(self) -> bool:
        """It has a member `signature`, whatever its value."""
        return self.signature is not msgspec.UNSET

    @property
    def signed(self) -> str:
        """Its signature; empty if there is none, or none that is a string."""
        return _text(self.signature)

    @property
    def digest(self) -> bytes | None:
        """By what a block that `thinks` is known again; None for one that says nothing."""
        if self.type == "redacted_thinking":
            data = _text(self.data)
            return digest.of_redacted(data) if data else None
        if self.signed:
            return digest.of_signature(self.signed)
        text = _text(self.thinking)
        return digest.of_text(text) if text else None


class _Message(msgspec.Struct):
    role: object = None
    content: list[Block] | str | None = None


class _Role(msgspec.Struct):
    role: object = None


class _Type(msgspec.Struct):
    type: object = None


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_ROLE: Final = msgspec.json.Decoder(_Role)
_TYPE: Final = msgspec.json.Decoder(_Type)


@dataclass(frozen=True, slots=True)
class Turn:
    """An assistant message with list content."""

    span: Span
    blocks: Sequence[Block]

    @property
    def thinks(self) -> bool:
        """It holds a thinking or redacted block."""
        return any(block.thinks for block in self.blocks)


def thinking_turns(members: edit.Members) -> dict[int, Turn]:
    """The turns with a thinking or redacted block, by their place in `messages`, in order."""
    return members.once("thinking turns", _thinking_turns)


def signed_turns(members: edit.Members, known: Collection[int]) -> dict[int, Turn]:
    """The turns that may hold a signature, but for those that are `known`, in order."""
    return dict(_turns(members, _SIGNED, known))


def turn(body: bytes, span: Span) -> Turn | None:
    """The message at `span`, if it is a turn."""
    message = _message(body[span[0] : span[1]])
    if message.role != "assistant" or not isinstance(message.content, list):
        return None
    return Turn(span, message.content)


def blocks_of(message: bytes) -> Sequence[Block]:
    """The blocks of a message; none if its content is no list."""
    content = _message(message).content
    return content if isinstance(content, list) else ()


def block_spans(body: bytes, turn: Turn) -> tuple[Span, ...]:
    """Where the blocks of a turn stand; none if its content has no one place."""
    start = turn.span[0]
    message = edit.members(body[start : turn.span[1]])
    spans = () if message is None else message.elements("content")
    return tuple((begin + start, end + start) for begin, end in spans)


def role(body: bytes, span: Span) -> str:
    """The role of the message at `span`; empty for what has none."""
    found = decoded(_ROLE, body[span[0] : span[1]])
    return _text(found.role) if found is not None else ""


def type_of(body: bytes, span: Span) -> str:
    """The type of the object at `span`; empty for what has none."""
    found = decoded(_TYPE, body[span[0] : span[1]])
    return _text(found.type) if found is not None else ""


def answers_tools(body: bytes, span: Span) -> bool:
    """Whether the message at `span` is the user's, and brings the result of a tool."""
    if body.find(b'"tool_result"', *span) < 0 or role(body, span) != "user":
        return False
    return any(block.type == "tool_result" for block in blocks_of(body[span[0] : span[1]]))


def _thinking_turns(members: edit.Members) -> dict[int, Turn]:
    found = _turns(members, _THINKS, known=())
    return {place: turn for place, turn in found if turn.thinks}


def _turns(
    members: edit.Members, word: bytes, known: Collection[int]
) -> Iterator[tuple[int, Turn]]:
    """The turns that hold `word`, in order."""
    body = members.body
    span = members.span("messages")
    if span is None or body.rfind(word, *span) < 0:
        return
    messages = members.elements("messages")
    for place in reversed(_places(body, messages, word)):
        found = None if place in known else turn(body, messages[place])
        if found is not None:
            yield place, found


def _places(body: bytes, messages: Sequence[Span], word: bytes) -> list[int]:
    """Which messages hold `word`, from the last to the first."""
    if not messages:
        return []
    places = []
    place = len(messages) - 1
    at = body.rfind(word, messages[0][0], messages[-1][1])
    while at >= 0:
        while messages[place][0] > at:
            place -= 1
        places.append(place)
        at = body.rfind(word, messages[0][0], messages[place][0])
    return places


def _message(raw: bytes) -> _Message:
    try:
        return _MESSAGE.decode(raw)
    except UNREADABLE:
        return _odd_message(raw)


def _odd_message(raw: bytes) -> _Message:
    """With half a character in it, or blocks that are none: what only the slow parser reads."""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return _Message()
    if not isinstance(message, dict):
        return _Message()
    content = message.get("content")
    blocks = [_odd_block(each) for each in content] if isinstance(content, list) else None
    return _Message(message.get("role"), blocks)


def _odd_block(value: object) -> Block:
    if not isinstance(value, dict):
        return Block()
    return Block(
        type=value.get("type"),
        signature=value.get("signature", msgspec.UNSET),
        thinking=value.get("thinking"),
        data=value.get("data"),
        text=_EMPTY if value.get("text") == "" else msgspec.Raw(b"null"),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
