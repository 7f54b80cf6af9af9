"""Traits: what a request is like, as far as rules may ask.

Each fact is looked up when the first rule asks for it and kept. Most requests ask for none beyond
the model, and a body of a megabyte is searched for images only where a rule is about images: first
for the word, then, if it is there, for the blocks.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from relay.lazy import lazy
from relay.messages.edit import Members
from relay.messages.lenient import decoded
from relay.routing.session import is_sub_agent

_THINKING: Final = frozenset({"enabled", "adaptive"})


class _Typed(msgspec.Struct):
    type: str | None = None


class _Block(msgspec.Struct):
    type: str | None = None
    content: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    role: str | None = None
    content: msgspec.Raw = msgspec.Raw()


_TYPE: Final = msgspec.json.Decoder(_Typed)
_TOOLS: Final = msgspec.json.Decoder(list[_Typed])
_MESSAGES: Final = msgspec.json.Decoder(list[_Message])
_BLOCKS: Final = msgspec.json.Decoder(list[_Block])


class Traits:
    """The facts of one request. What its body does not say in a readable way is not so."""

    def __init__(
        self,
        *,
        model: str,
        client: str,
        headers: Mapping[str, str],
        members: Members | None,
        estimated_tokens: Callable[[], int],
    ) -> None:
        """`model` is the client's name for it, `client` the client key's name or "".

        Header names are in lower case. `estimated_tokens` gives the input's; it is called once, if
        at all.
        """
        self.model = model
        self.client = client
        self.headers = headers
        self._members = members
        self._estimated_tokens = estimated_tokens

    @lazy
    def agent(self) -> str:
        """`main` or `sub`."""
        return "sub" if is_sub_agent(self.headers) else "main"

    @lazy
    def thinking(self) -> bool:
        """Whether thinking is asked for."""
        found = decoded(_TYPE, self._raw("thinking"))
        return found is not None and found.type in _THINKING

    @lazy
    def tool_types(self) -> frozenset[str]:
        """The types of tools that state one: `web_search_20250305`, `custom`."""
        return frozenset(
            tool.type for tool in decoded(_TOOLS, self._raw("tools")) or () if tool.type
        )

    @lazy
    def images(self) -> bool:
        """Whether a user message holds an image, also inside a tool result."""
        raw = self._raw("messages")
        return _may_hold_images(raw) and any(
            _holds_image(message.content)
            for message in decoded(_MESSAGES, raw) or ()
            if message.role == "user"
        )

    @lazy
    def input_tokens(self) -> int:
        """About how many tokens the input has."""
        return self._estimated_tokens()

    def _raw(self, name: str) -> bytes:
        return (self._members.get(name) if self._members else None) or b""


def _may_hold_images(raw: bytes) -> bool:
    """A quick look. Inside a text the quotes would be escaped; `\\u006` begins `i` to `m`."""
    return b'"image"' in raw or b"\\u006" in raw


def _holds_image(content: msgspec.Raw) -> bool:
    raw = bytes(content)
    return _may_hold_images(raw) and any(map(_is_image, _blocks(raw)))


def _is_image(block: _Block) -> bool:
    if block.type != "tool_result":
        return block.type == "image"
    return any(inner.type == "image" for inner in _blocks(bytes(block.content)))


def _blocks(raw: bytes) -> Iterable[_Block]:
    return decoded(_BLOCKS, raw) or ()
