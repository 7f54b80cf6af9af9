"""Events the relay writes are read by the parsers of others, and errors are told from messages."""

import json

import pytest

from relay.messages import sse
from relay.messages.events import PING, ErrorReport, error_event, error_report


def test_a_ping_is_one_complete_event() -> None:
    assert sse.EventSplitter().feed(PING) == [PING]
    assert (sse.event_type(PING), json.loads(sse.data(PING))) == ("ping", {"type": "ping"})


def test_an_error_event_says_type_and_message_whatever_they_hold() -> None:
    event = error_event("overloaded_error", 'a "quote"\nand a line\r\n\r\n')

    assert sse.EventSplitter().feed(event) == [event]
    assert sse.event_type(event) == "error"
    assert json.loads(sse.data(event)) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": 'a "quote"\nand a line\r\n\r\n'},
    }
    assert error_report(sse.data(event)) == ErrorReport(
        "overloaded_error", 'a "quote"\nand a line\r\n\r\n'
    )


@pytest.mark.parametrize(
    ("document", "report"),
    [
        (
            b'{"type":"error","error":{"type":"api_error","message":"m"}}',
            ErrorReport("api_error", "m"),
        ),
        (b'{"type":"error"}', ErrorReport("", "")),
        (b'{"type":"error","error":{"type":5,"message":null}}', ErrorReport("", "")),
        (b'{"type":"error","error":"no"}', ErrorReport("", "no")),
        (b'{"error":{"message":"m","type":"t"}}', ErrorReport("t", "m")),
        (b'{"code":1001,"msg":"m","success":false}', ErrorReport("", "m")),
        (b'{"type":"message","content":[]}', None),
        (b'{"type":"message","error":{"type":"t"}}', None),
        (b'{"input_tokens":3}', None),
        (b'{"error":null}', None),
        (b'{"type":"error"', None),
        (b"[]", None),
        (b"\xff", None),
        (b"", None),
        (b'{"error":' + b"[" * 100_000, None),
    ],
)
def test_an_error_is_told_from_everything_else(document: bytes, report: ErrorReport | None) -> None:
    assert error_report(document) == report
