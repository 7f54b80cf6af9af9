"""Requests as rules see them, from a body and headers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from relay.messages import edit
from relay.routing.traits import Traits


def _nothing_asked() -> int:
    raise AssertionError("no rule needed the size")


def asked(
    body: bytes | dict[str, Any] = b"{}",
    *,
    model: str = "claude-opus-5-5",
    client: str = "",
    headers: Mapping[str, str] | None = None,
    estimated_tokens: Callable[[], int] = _nothing_asked,
) -> Traits:
    """The traits of one request; it has no size unless a test gives one."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Traits(
        model=model,
        client=client,
        headers=headers or {},
        members=edit.members(raw),
        estimated_tokens=estimated_tokens,
    )
