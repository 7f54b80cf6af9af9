"""Messages-API bodies as a provider writes them: a JSON message, and streams of events."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

USAGE: Mapping[str, int] = {
    "input_tokens": 11,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 7,
}
"""What every scripted answer says it cost."""


def message(text: str = "hello", model: str = "claude-x", **fields: Any) -> dict[str, Any]:
    """A complete message with one text block."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": dict(USAGE),
    } | fields


def error(type: str, message: str) -> dict[str, Any]:
    """An error body in the API's shape, with a request id of the provider's own."""
    return {
        "type": "error",
        "error": {"type": type, "message": message},
        "request_id": "req_upstream",
    }


def event(name: str, **fields: Any) -> bytes:
    """One event whose data is `fields` with its `type`."""
    return f"event: {name}\ndata: {json.dumps({'type': name} | fields)}\n\n".encode()


PING = event("ping")


def message_start(model: str = "claude-x") -> bytes:
    """The first event of every stream."""
    begun = message(model=model, content=[], stop_reason=None, usage=dict(USAGE, output_tokens=1))
    return event("message_start", message=begun)


def block(index: int, begun: Mapping[str, Any], *deltas: Mapping[str, Any]) -> list[bytes]:
    """One content block: its start, its deltas and its stop."""
    return [
        event("content_block_start", index=index, content_block=dict(begun)),
        *(event("content_block_delta", index=index, delta=dict(delta)) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def text_block(index: int, *texts: str) -> list[bytes]:
    """A text block, one delta a text."""
    return block(
        index,
        {"type": "text", "text": ""},
        *({"type": "text_delta", "text": text} for text in texts),
    )


def tool_block(index: int, id: str, name: str, *json_parts: str) -> list[bytes]:
    """A `tool_use` block whose input arrives in pieces."""
    return block(
        index,
        {"type": "tool_use", "id": id, "name": name, "input": {}},
        *({"type": "input_json_delta", "partial_json": part} for part in json_parts),
    )


def thinking_block(index: int, thought: str, signature: str) -> list[bytes]:
    """A thinking block with its signature."""
    return block(
        index,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": thought},
        {"type": "signature_delta", "signature": signature},
    )


def ending(stop_reason: str = "end_turn") -> list[bytes]:
    """The two last events."""
    return [
        event(
            "message_delta",
            delta={"stop_reason": stop_reason, "stop_sequence": None},
            usage={"output_tokens": USAGE["output_tokens"]},
        ),
        event("message_stop"),
    ]


def text_stream(*texts: str) -> list[bytes]:
    """A whole stream with one text block."""
    return [message_start(), *text_block(0, *(texts or ("hello", " world"))), *ending()]


def beginning(*texts: str) -> list[bytes]:
    """A stream that has begun a text block and goes on: everything but its end."""
    return text_stream(*texts)[:-3]


def events(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream body as name and data.

    Raises: `AssertionError` for what is no complete event: half an event, a comment, a bare line.
    """
    *whole, rest = body.split(b"\n\n")
    assert rest == b"", f"half an event: {rest!r}"
    for text in whole:
        lines = text.split(b"\n")
        assert len(lines) == 2, f"no event: {text!r}"
        assert lines[0].startswith(b"event: "), f"no event: {text!r}"
        assert lines[1].startswith(b"data: "), f"no event: {text!r}"
        yield lines[0][7:].decode(), json.loads(lines[1][6:])


def names(body: bytes) -> list[str]:
    """The names of a stream's events, in order."""
    return [name for name, _ in events(body)]
