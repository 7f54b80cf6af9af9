"""Answer as the Messages API does: whole messages as events, or token counts as JSON.

An `Answer` says what the scripted upstream sends for one request. Identifiers are fixed, so that
two plays of one situation lead the client to send the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Block = Mapping[str, object]
"""A content block as it stands in a message: `text`, `thinking` or `tool_use`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the upstream; `chunks` are written one by one, each flushed."""

    label: str
    content_type: str
    chunks: tuple[bytes, ...]
    is_cut: bool = False
    """Close the connection after the last chunk instead of ending the body."""


def message(label: str, *blocks: Block) -> Answer:
    """A complete streamed message; it stops for tools if a block asks for one."""
    return Answer(label, "text/event-stream; charset=utf-8", tuple(_events(label, blocks)))


def cut_message(label: str, text: str) -> Answer:
    """A stream that breaks off in the middle of its text."""
    events = tuple(_events(label, [{"type": "text", "text": text}]))
    first_delta = next(i for i, event in enumerate(events) if b"content_block_delta" in event)
    return Answer(label, "text/event-stream; charset=utf-8", events[: first_delta + 1], is_cut=True)


def token_count(tokens: int) -> Answer:
    """The answer of `count_tokens`."""
    return Answer("count", "application/json", (json.dumps({"input_tokens": tokens}).encode(),))


def whole_message(label: str, *blocks: Block) -> Answer:
    """The same message for a request that did not ask for a stream."""
    body = _message(label, list(blocks)) | {"stop_reason": _stop_reason(blocks)}
    return Answer(label, "application/json", (json.dumps(body).encode(),))


def text(words: str) -> Block:
    """A text block."""
    return {"type": "text", "text": words}


def thinking(words: str, signature: str) -> Block:
    """A thinking block with the signature that has to come back with it."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def tool_use(identifier: str, name: str, arguments: Mapping[str, object]) -> Block:
    """A call of one of the client's tools."""
    return {"type": "tool_use", "id": identifier, "name": name, "input": arguments}


def _events(label: str, blocks: Sequence[Block]) -> list[bytes]:
    events = [_event("message_start", {"message": _message(label, [])})]
    for index, block in enumerate(blocks):
        events += _block_events(index, block)
    delta = {"stop_reason": _stop_reason(blocks), "stop_sequence": None}
    events.append(_event("message_delta", {"delta": delta, "usage": {"output_tokens": 12}}))
    events.append(_event("message_stop", {}))
    return events


def _block_events(index: int, block: Block) -> list[bytes]:
    opening, deltas = _OPENINGS[str(block["type"])](block)
    start = {"index": index, "content_block": opening}
    return [
        _event("content_block_start", start),
        *(_event("content_block_delta", {"index": index, "delta": delta}) for delta in deltas),
        _event("content_block_stop", {"index": index}),
    ]


Deltas = tuple[Block, list[Block]]


def _text(block: Block) -> Deltas:
    halves = _halves(str(block["text"]))
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": half} for half in halves]


def _thinking(block: Block) -> Deltas:
    opening = {"type": "thinking", "thinking": "", "signature": ""}
    words: list[Block] = [
        {"type": "thinking_delta", "thinking": half} for half in _halves(str(block["thinking"]))
    ]
    return opening, [*words, {"type": "signature_delta", "signature": block["signature"]}]


def _tool_use(block: Block) -> Deltas:
    halves = _halves(json.dumps(block["input"]))
    deltas: list[Block] = [{"type": "input_json_delta", "partial_json": half} for half in halves]
    return {**block, "input": {}}, deltas


_OPENINGS = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}


def _halves(words: str) -> tuple[str, str]:
    middle = len(words) // 2
    return words[:middle], words[middle:]


def _event(name: str, fields: Mapping[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def _message(label: str, content: list[Block]) -> dict[str, object]:
    return {
        "id": f"msg_{label}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }


def _stop_reason(blocks: Sequence[Block]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
