"""How failures look through the official SDK; prints one JSON document.

Run with the SDK's folder in PYTHONPATH: `failures.py BASE_URL KEY`.
"""

import json
import sys
import time

import anthropic

base_url, key = sys.argv[1:3]
HI = [{"role": "user", "content": "hi"}]


def tried(model: str, *, retries: int = 0, with_key: str = key) -> object:
    """The answer's text, or what was raised, and how long it took."""
    client = anthropic.Anthropic(base_url=base_url, api_key=with_key, max_retries=retries)
    began = time.monotonic()
    try:
        message = client.messages.create(model=model, max_tokens=5, messages=HI)
    except anthropic.APIStatusError as error:
        said = {
            "raised": type(error).__name__,
            "status": error.status_code,
            "message": error.body["error"]["message"],
            "retry_after": error.response.headers.get("retry-after"),
            "request_id": error.request_id,
        }
    else:
        said = {"text": message.content[0].text}
    return {**said, "seconds": time.monotonic() - began}


def streamed(model: str) -> object:
    """What arrived of a stream before it raised."""
    client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=2)
    texts: list[str] = []
    try:
        with client.messages.stream(model=model, max_tokens=5, messages=HI) as stream:
            texts.extend(stream.text_stream)
    except Exception as error:  # noqa: BLE001  which it is, is what is asked
        return {"texts": texts, "raised": [base.__name__ for base in type(error).__mro__]}
    return {"texts": texts, "raised": None}


def unknown_model() -> object:
    try:
        anthropic.Anthropic(base_url=base_url, api_key=key).models.retrieve("nope")
    except anthropic.NotFoundError as error:
        return error.body["error"]["type"]
    return None


sys.stdout.write(
    json.dumps(
        {
            "wrong key": tried("claude-text", retries=2, with_key="wrong"),
            "400": tried("claude-400", retries=2),
            "404": tried("claude-404", retries=2),
            "529": tried("claude-529"),
            "503 once": tried("claude-503-once", retries=2),
            "529 for ever": tried("claude-529", retries=1),
            "broken": streamed("claude-broken"),
            "error event": streamed("claude-error-event"),
            "unknown model": unknown_model(),
            # Last: the relay's key rests from here on, for a second.
            "429": tried("claude-429"),
            "429 of the relay": tried("claude-text"),
            "after the rest": tried("claude-text", retries=2),
        }
    )
)
