"""What behaviour 11.3 and 11.4 say, on decoded JSON and without a thought for bytes or time."""

import hashlib
import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any

TYPES = ("thinking", "redacted_thinking")
FILLING = {"type": "text", "text": "(reasoning omitted)"}


def digest(block: dict[str, Any]) -> bytes | None:
    """The memory's key of a block."""
    for kind, name in (("signature", "signature"), ("text", "thinking"), ("redacted", "data")):
        value = block.get(name)
        is_redacted = block["type"] == "redacted_thinking"
        if is_redacted == (kind == "redacted") and isinstance(value, str) and value:
            coding = "utf-16-le" if kind == "text" else "utf-8"
            written = value.encode(coding, "surrogatepass")
            return hashlib.sha256(kind.encode() + b"\0" + written).digest()
    return None


def is_turn(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("role") == "assistant"
        and isinstance(message.get("content"), list)
    )


def kind(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def thinks(block: Any) -> bool:
    return kind(block) in TYPES


def fitted(body: dict[str, Any], issuers: Mapping[bytes, str], family: str, model: str) -> Any:
    """The body as the target may see it."""
    body = json.loads(json.dumps(body))
    messages = body["messages"]
    turns = [message for message in messages if is_turn(message)]
    thoughts = [block for turn in turns for block in turn["content"] if thinks(block)]
    if not thoughts:
        return body
    is_foreign = any(issuers.get(digest(block) or b"", family) != family for block in thoughts)
    lost = [
        id(turn) for turn in turns if _refit(turn, issuers, family, model, is_foreign=is_foreign)
    ]
    _fill(messages, lost)
    _switch_off(body, lost)
    body["messages"] = [message for message in messages if not _is_gone(message)]
    return body


def _refit(
    turn: dict[str, Any],
    issuers: Mapping[bytes, str],
    family: str,
    model: str,
    *,
    is_foreign: bool,
) -> bool:
    def is_ours(block: Any) -> bool:
        return thinks(block) and issuers.get(digest(block) or b"") == family

    def stays(block: Any) -> bool:
        if not thinks(block) or is_ours(block):
            return True
        if is_foreign or kind(block) == "redacted_thinking":
            return not is_foreign
        return bool(_valid(block.get("signature"), model))

    before = turn["content"]
    kept = [block for block in before if stays(block)]
    has_lost = len(kept) < len(before)
    if has_lost:
        kept = [block for block in kept if kind(block) != "text" or block["text"]]
    turn["content"] = kept if any(map(is_ours, kept)) else _in_order(kept)
    for block in kept:
        if kind(block) == "thinking" and not is_ours(block):
            block["signature"] = _valid(block["signature"], model)
    _unsign(kept)
    return has_lost


def _unsign(blocks: list[Any]) -> None:
    for block in blocks:
        if kind(block) == "tool_use":
            block.pop("signature", None)


def _in_order(blocks: list[Any]) -> list[Any]:
    leads = not any(map(thinks, blocks)) or thinks(blocks[0])
    return blocks if leads else sorted(blocks, key=thinks, reverse=True)  # stable


def _valid(signature: Any, model: str) -> str:
    if not isinstance(signature, str):
        return ""
    if "#" in signature:
        return signature.split("#", 1)[1]
    is_accepted = signature == "skip_thought_signature_validator" and "gemini" in model
    return signature if len(signature) >= 50 or is_accepted else ""


def _fill(messages: list[Any], lost: list[int]) -> None:
    """Those that go get a content of None."""
    for at, message in enumerate(messages):
        if id(message) not in lost or message["content"]:
            continue
        others = [each for each in messages[:at] if not _is_gone(each)]
        before = [_role(each) for each in others if _role(each) != "system"]
        after = [each for each in messages[at + 1 :] if _role(each) != "system"]
        is_before_user = bool(after) and _role(after[0]) == "user"
        is_between = is_before_user and before[-1:] == ["user"]
        is_kept = is_between or (is_before_user and _has(after[0], "tool_result"))
        message["content"] = [dict(FILLING)] if is_kept else None


def _is_gone(message: Any) -> bool:
    return isinstance(message, dict) and message.get("content", "") is None


def _switch_off(body: dict[str, Any], lost: list[int]) -> None:
    runs = [
        (is_assistant, list(run))
        for is_assistant, run in groupby(body["messages"], lambda each: _role(each) == "assistant")
    ]
    while runs and not (runs[-1][0] and not all(map(_is_gone, runs[-1][1]))):
        runs.pop()
    if not runs or "thinking" not in body:
        return
    last = runs[-1][1]
    run = [message for message in last if not _is_gone(message)]
    end = max(at for at, message in enumerate(body["messages"]) if message is run[-1])
    later = [message for message in body["messages"][end:] if _role(message) == "user"]
    has_lost = any(id(message) in lost for message in last)
    is_running = any(_has(each, "tool_use") for each in run) and any(
        _has(each, "tool_result") for each in later
    )
    leads = is_turn(run[0]) and bool(run[0]["content"]) and thinks(run[0]["content"][0])
    has_lost = any(id(message) in lost for message in run) or body.pop("_lost_in_run", False)
    if not (is_running and has_lost) or leads or body["thinking"].get("type") == "disabled":
        return
    del body["thinking"]
    context = body.get("context_management")
    if context is None:
        return
    edits = context["edits"]
    context["edits"] = [each for each in edits if not each["type"].startswith("clear_thinking")]
    if edits and list(context) == ["edits"] and not context["edits"]:
        del body["context_management"]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _has(message: Any, wanted: str) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(kind(block) == wanted for block in content)
