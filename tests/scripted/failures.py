"""The ways an upstream fails before a byte of it reaches the client, each tried again elsewhere.

`silent` needs `timeouts.first_byte_ms`.
"""

from collections.abc import Mapping
from typing import Final

from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_nothing, streams


def first_event_error(type: str) -> Answer:
    """A stream that begins with an error."""
    return streams(messages.event("error", error={"type": type, "message": "m"}))


RETRIED: Final[Mapping[str, Answer]] = {
    "503": says_error(503, "overloaded_error"),
    "429": says_error(429, "rate_limit_error", headers={"retry-after-ms": "1"}),
    "500": says_error(500, "api_error"),
    "502": says(502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"),
    "504": says_error(504, "timeout_error"),
    "529": says_error(529, "overloaded_error"),
    "302": says(302, {"Location": "http://127.0.0.1:1/"}, b""),
    "overloaded event": first_event_error("overloaded_error"),
    "api_error event": first_event_error("api_error"),
    "timeout event": first_event_error("timeout_error"),
    "closes": says_nothing("close"),
    "resets": says_nothing("reset"),
    "silent": says_nothing("open"),
    "empty": says(200, {"Content-Type": "application/json"}, b""),
    "html": says(200, {"Content-Type": "text/html"}, b"<html></html>"),
    "json error": says_error(200, "api_error"),
    "empty stream": streams(b""),
    "stream cut before content": streams(messages.message_start(), ends="close"),
    "stream ended before content": streams(messages.message_start()),
    "no http": says(200, {"Content-Length": "x"}, b"?"),
}
"""By name; behaviour 8.2."""
