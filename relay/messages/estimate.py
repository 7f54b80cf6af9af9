"""Estimate: about how many input tokens a request has, for upstreams that do not count.

Every text, tool definition, tool input and tool result counts by its bytes; images and documents
count by the piece (behaviour 4.10). What has no reading here counts by its JSON.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterator
from typing import Final

import msgspec

BYTES_PER_TOKEN: Final = 3.6
"""What a token is at first, before real usage has taught better."""

_IMAGE_TOKENS: Final = 1600
_PAGE_TOKENS: Final = 2000
_PAGE_BYTES: Final = 3 << 10  # a page, where the document does not say how many it has
_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_BODY: Final = msgspec.json.Decoder(object)


def estimate(body: bytes, bytes_per_token: float = BYTES_PER_TOKEN) -> int:
    """Input tokens of a Messages request: at least 1, also for what is no request at all."""
    try:
        request = _BODY.decode(body)
        texts = fixed = 0
        for size, tokens in _parts(request):
            texts += size
            fixed += tokens
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        texts, fixed = len(body), 0
    return max(1, math.ceil(texts / bytes_per_token) + fixed)


def _parts(request: object) -> Iterator[tuple[int, int]]:
    """Each part as (bytes of text, tokens it costs whatever its bytes)."""
    if not isinstance(request, dict):
        return
    yield from _content(request.get("system"))
    yield from _content(request.get("tools"))
    for message in _list(request.get("messages")):
        if isinstance(message, dict):
            yield from _content(message.get("content"))


def _content(content: object) -> Iterator[tuple[int, int]]:
    if isinstance(content, str):
        yield _size(content), 0
    for block in _list(content):
        yield from _block(block)


def _block(block: object) -> Iterator[tuple[int, int]]:
    match block:
        case {"type": "text", "text": str(text)} | {"type": "thinking", "thinking": str(text)}:
            yield _size(text), 0
        case {"type": "image"}:
            yield 0, _IMAGE_TOKENS
        case {"type": "document", "source": dict(source)}:
            yield from _document(source)
        case {"type": "tool_result", "content": content}:
            yield from _content(content)
        case {"type": "tool_use", "name": str(name), "input": given}:
            yield _size(name) + _json_size(given), 0
        case _:
            yield _json_size(block), 0


def _document(source: dict[object, object]) -> Iterator[tuple[int, int]]:
    match source:
        case {"type": "text", "data": str(text)}:
            yield _size(text), 0
        case {"type": "content"}:
            yield from _content(source.get("content"))
        case {"type": "base64", "data": str(encoded)}:
            yield 0, _PAGE_TOKENS * _pages(encoded)
        case _:
            yield 0, _PAGE_TOKENS  # by URL or file id: nothing of it is here to measure


def _pages(encoded: str) -> int:
    try:
        document = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        document = encoded.encode("utf-8", "replace")
    return len(_PDF_PAGE.findall(document)) or math.ceil(len(document) / _PAGE_BYTES) or 1


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _json_size(value: object) -> int:
    return len(msgspec.json.encode(value))
