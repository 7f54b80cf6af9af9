"""What the made-up provider says."""

import json

import pytest

from relay.demo.answer import BadRequest, Question, events, message, written


def _question(**fields: object) -> Question:
    request = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "Why?"}]}
    return Question.of(json.dumps({**request, **fields}).encode())


def test_the_stream_and_the_message_say_the_same() -> None:
    question = _question()

    stream, whole = list(events(question)), message(question)

    text = "".join(e["delta"]["text"] for e in stream if e["type"] == "content_block_delta")
    assert whole["content"] == [{"type": "text", "text": text}]
    assert '"Why?"' in text
    assert stream[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


def test_the_events_come_in_the_order_of_the_messages_api() -> None:
    types = [event["type"] for event in events(_question())]

    assert types[:3] == ["message_start", "ping", "content_block_start"]
    assert set(types[3:-3]) == {"content_block_delta"}
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_max_tokens_is_kept() -> None:
    question = _question(max_tokens=3)

    assert message(question)["stop_reason"] == "max_tokens"
    assert message(question)["usage"]["output_tokens"] == 3
    assert message(_question())["stop_reason"] == "end_turn"


def test_the_last_text_of_the_user_is_what_was_asked() -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "last"}, {"type": "image"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": "no text"}]},
        {"role": "assistant", "content": "not mine"},
    ]

    assert _question(messages=messages).text == "last"


def test_a_long_question_is_not_repeated_as_a_whole() -> None:
    question = _question(messages=[{"role": "user", "content": "x" * 5000}])

    assert len(json.dumps(message(question))) < 2000


def test_an_event_is_written_with_its_name_and_one_line_of_data() -> None:
    assert written({"type": "ping", "text": "a\nb"}) == (
        b'event: ping\ndata: {"type": "ping", "text": "a\\nb"}\n\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"model": "m", "messages": 1}',
        b'{"model": "m", "messages": ["text"]}',
        b'{"model": "m", "messages": []}',
        b'{"model": "m", "messages": [{"role": "user"}]}',
        b'{"model": "m", "max_tokens": "x", "messages": [{"role": "user", "content": "a"}]}',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        Question.of(body)
