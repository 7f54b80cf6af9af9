"""What a program does with the official SDK; prints what it got as one JSON document.

Run with the SDK's folder in PYTHONPATH: `calls.py BASE_URL KEY`.
"""

import json
import sys

import anthropic

base_url, key = sys.argv[1:3]
client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0)
HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "get", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def dump(message: object) -> object:
    """As the SDK understood it."""
    return json.loads(message.to_json())


def create() -> object:
    return dump(client.messages.create(model="claude-text", max_tokens=5, messages=HI))


def stream() -> object:
    with client.messages.stream(model="claude-text", max_tokens=5, messages=HI) as stream:
        texts = list(stream.text_stream)
        return {"texts": texts, "final": dump(stream.get_final_message())}


def raw_stream() -> object:
    events = client.messages.create(model="claude-text", max_tokens=5, messages=HI, stream=True)
    return [event.type for event in events]


def tools() -> object:
    asked = {"model": "claude-tools", "max_tokens": 5, "tools": [TOOL]}
    with client.messages.stream(messages=HI, **asked) as stream:
        message = stream.get_final_message()
    answers = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "42"}
        for block in message.content
    ]
    turns = [
        *HI,
        {"role": "assistant", "content": dump(message)["content"]},
        {"role": "user", "content": answers},
    ]
    again = client.messages.create(messages=turns, **asked | {"model": "claude-text"})
    return {"first": dump(message), "second": dump(again)}


def thinking() -> object:
    with client.messages.stream(
        model="claude-thinking",
        max_tokens=5000,
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=HI,
    ) as stream:
        return dump(stream.get_final_message())


def count_tokens() -> object:
    return client.messages.count_tokens(model="claude-text", messages=HI).input_tokens


def beta() -> object:
    return dump(
        client.beta.messages.create(
            model="claude-text", max_tokens=5, messages=HI, betas=["context-1m-2025-08-07", "y"]
        )
    )


def models() -> object:
    return {
        "all": [model.id for model in client.models.list(limit=2)],
        "first page": [model.id for model in client.models.list(limit=2).data],
        "one": client.models.retrieve("anthropic/GLM-4.7").id,
        "created": client.models.retrieve("claude-text").created_at.year,
    }


calls = (create, stream, raw_stream, tools, thinking, count_tokens, beta, models)
sys.stdout.write(json.dumps({call.__name__: call() for call in calls}))
