"""Requests with a history, written byte for byte: what is edited and what is not can be told.

Everything here is compact JSON text; blocks may hold whatever white space a test gives them.
"""

import itertools
import json
from typing import Final

_number = itertools.count(1)
TEXT: Final = '{"type":"text","text":"so"}'
USER: Final = '{"role":"user","content":"hi"}'
ASKS_ON: Final = '{"role":"user","content":[{"type":"text","text":"go on"}]}'


def signature() -> str:
    """A signature of 64 characters that nobody has seen before."""
    return f"Sig{next(_number):06}".ljust(64, "z")


def thinking(signature: str | None, thought: str = "hm") -> str:
    """A thinking block; None leaves its signature out."""
    signed = "" if signature is None else f',"signature":{json.dumps(signature)}'
    return f'{{"type":"thinking","thinking":{json.dumps(thought)}{signed}}}'


def redacted(data: str) -> str:
    """A redacted thinking block."""
    return f'{{"type":"redacted_thinking","data":{json.dumps(data)}}}'


def tool_use(id: str = "toolu_1", more: str = "") -> str:
    """A tool call, with further fields as they stand in JSON."""
    return f'{{"type":"tool_use","id":"{id}","name":"ls","input":{{"n": 1.50}}{more}}}'


def tool_result(id: str = "toolu_1") -> str:
    """The user's turn that answers a tool call."""
    result = f'{{"type":"tool_result","tool_use_id":"{id}","content":"a  b"}}'
    return f'{{"role":"user","content":[{result}]}}'


def assistant(*blocks: str) -> str:
    """A turn of the assistant."""
    return f'{{"role":"assistant","content":[{",".join(blocks)}]}}'


def request(*turns: str, model: str = "claude-x", more: str = "") -> bytes:
    """A whole request, with further fields as they stand in JSON."""
    return (f'{{"model":"{model}","max_tokens":5{more},"messages":[{",".join(turns)}]}}').encode()
