"""Conversations with thinking blocks, and what `fit` makes of them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from relay.messages import edit, thinking
from tests.messages import naive_thinking

SIG: Final = "S" * 60
OTHER: Final = "T" * 60
FILLING: Final = {"type": "text", "text": "(reasoning omitted)"}
TEXT: Final = {"type": "text", "text": "hello"}
TOOL: Final = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
RESULT: Final = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}],
}
ASKED: Final = {"role": "user", "content": "hi"}

CLEARS: Final = {"type": "clear_thinking_20251015", "keep": "all"}
CLEARS_TOOLS: Final = {"type": "clear_tool_uses_20250919"}


def thought(signature: object = SIG, text: str = "hm", **more: object) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature, **more}


def redacted(data: str = "secret") -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": data}


def said(*content: object) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def members(body: Mapping[str, object] | bytes) -> edit.Members:
    found = edit.members(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert found is not None
    return found


def key(block: dict[str, Any]) -> bytes:
    found = naive_thinking.digest(block)
    assert found is not None
    return found


def fitted(
    *messages: object,
    issuers: Mapping[bytes, str] | None = None,
    model: str = "claude-x",
    **fields: object,
) -> Any:
    body, _ = thinking.fit(
        members({"model": "m", "messages": messages, **fields}),
        issuers=issuers or {},
        family="claude",
        model=model,
    )
    return json.loads(body)


def history(*messages: object, issuers: Mapping[bytes, str] | None = None) -> Any:
    return fitted(*messages, issuers=issuers)["messages"]


def turn(*blocks: object, issuers: Mapping[bytes, str] | None = None) -> Any:
    """What becomes of one assistant turn between two of the user."""
    return history(ASKED, said(*blocks), ASKED, issuers=issuers)[1]["content"]
