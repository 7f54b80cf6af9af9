"""Events: the words of a Messages stream, and the two events the relay writes itself.

https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from dataclasses import dataclass
from typing import Final

import msgspec

MESSAGE_START: Final = "message_start"
CONTENT_BLOCK_START: Final = "content_block_start"
CONTENT_BLOCK_DELTA: Final = "content_block_delta"
CONTENT_BLOCK_STOP: Final = "content_block_stop"
MESSAGE_DELTA: Final = "message_delta"
MESSAGE_STOP: Final = "message_stop"
ERROR: Final = "error"

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
"""What keeps a silent stream alive; written only between two events."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What an error in the Anthropic shape says; empty where it says nothing."""

    type: str
    message: str


class _Envelope(msgspec.Struct):
    type: object = None
    error: object = None
    success: object = None
    msg: object = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def error_event(type: str, message: str) -> bytes:
    """An `error` event as the upstream itself would write it."""
    shape = {"type": "error", "error": {"type": type, "message": message}}
    return b"event: error\ndata: " + msgspec.json.encode(shape) + b"\n\n"


def error_report(document: bytes) -> ErrorReport | None:
    """What an error document says, or None if the JSON is no error.

    Beside `"type": "error"` two more shapes occur with status 200: an `error` member without a
    `type`, and Z.AI's `{"code": …, "msg": …, "success": false}`.
    """
    try:
        envelope = _ENVELOPE.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    untyped = envelope.type is None and (envelope.error is not None or envelope.success is False)
    if envelope.type != ERROR and not untyped:
        return None
    if isinstance(envelope.error, dict):
        return ErrorReport(_text(envelope.error.get("type")), _text(envelope.error.get("message")))
    return ErrorReport("", _text(envelope.error) or _text(envelope.msg))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
