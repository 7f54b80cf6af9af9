"""What the made-up provider answers: a readable text about the question. Pure.

It speaks the Messages API as far as a client can tell: a message as JSON, or the same message as
the events of a stream. Tokens are counted as four characters each.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

_QUOTED: Final = 300  # characters of the question that are repeated
_CHARS_PER_TOKEN: Final = 4

Event = Mapping[str, Any]


class BadRequest(ValueError):
    """The request is not one of the Messages API. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What we need of a request."""

    model: str
    text: str
    """The last text the user wrote."""
    stream: bool
    max_tokens: int
    input_tokens: int

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Read a request body. Raises: `BadRequest`."""
        try:
            request = json.loads(body)
            messages = request["messages"]
            return cls(
                model=str(request["model"]),
                text=_last_text(messages),
                stream=bool(request.get("stream")),
                max_tokens=int(request.get("max_tokens", 1024)),
                input_tokens=max(1, len(body) // _CHARS_PER_TOKEN),
            )
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadRequest(f"not a request of the Messages API: {error}") from error
        except LookupError as error:
            raise BadRequest(f"not a request of the Messages API: {error} is missing") from error


def pieces(question: Question) -> list[str]:
    """The answer, word by word; no more of them than `max_tokens`."""
    asked = question.text[:_QUOTED] + ("..." if len(question.text) > _QUOTED else "")
    text = (
        f'Hello from the made-up provider behind cc-relay. You asked {question.model}: "{asked}". '
        "These words came one by one through the relay; no account was needed."
    )
    words = [f"{word} " for word in text.split(" ")]
    return [*words[:-1], words[-1].rstrip()][: max(1, question.max_tokens)]


def message(question: Question) -> dict[str, Any]:
    """The answer in one piece."""
    words = pieces(question)
    return {
        **_opening(question),
        "content": [{"type": "text", "text": "".join(words)}],
        "stop_reason": _stop_reason(question, words),
        "usage": {"input_tokens": question.input_tokens, "output_tokens": len(words)},
    }


def events(question: Question) -> Iterator[Event]:
    """The answer as the events of a stream, in order."""
    words = pieces(question)
    yield {"type": "message_start", "message": _opening(question)}
    yield {"type": "ping"}
    yield {"type": "content_block_start", "index": 0, "content_block": _text("text", "")}
    for word in words:
        yield {"type": "content_block_delta", "index": 0, "delta": _text("text_delta", word)}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(question, words), "stop_sequence": None},
        "usage": {"output_tokens": len(words)},
    }
    yield {"type": "message_stop"}


def written(event: Event) -> bytes:
    """One event as it goes over the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def error(type_: str, text: str) -> dict[str, Any]:
    """An error in the shape of the Messages API."""
    return {"type": "error", "error": {"type": type_, "message": text}}


def _opening(question: Question) -> dict[str, Any]:
    return {
        "id": f"msg_demo_{uuid.uuid4().hex[:16]}",
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": question.input_tokens, "output_tokens": 1},
    }


def _stop_reason(question: Question, words: list[str]) -> str:
    return "max_tokens" if len(words) >= question.max_tokens else "end_turn"


def _text(kind: str, text: str) -> dict[str, str]:
    return {"type": kind, "text": text}


def _last_text(messages: list[dict[str, Any]]) -> str:
    for entry in reversed(messages):
        if entry["role"] == "user":
            content = entry["content"]
            if isinstance(content, str):
                return content
            texts = [block["text"] for block in content if block.get("type") == "text"]
            if texts:
                return str(texts[-1])
    raise ValueError("no message of the user with a text")
