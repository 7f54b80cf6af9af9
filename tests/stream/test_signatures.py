"""The blocks of an answer are known by the same digests, however it comes and goes back."""

import gzip
import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import digest, edit, thinking
from relay.stream import passing, pump
from relay.stream.passing import is_content
from relay.stream.signatures import Signatures
from relay.stream.watch import PlainWatch, StreamWatch
from tests.scripted.messages import block, ending, message, message_start, text_block
from tests.scripted.messages import event as an_event
from tests.stream.test_both_ways import CHUNKED, Script, Step, frame, relay, upstream

__all__ = ["upstream"]

SIGNED: Final = {"type": "thinking", "thinking": "let me see", "signature": "SIG" * 30}
UNSIGNED: Final = {"type": "thinking", "thinking": "é, and \U0001f600", "signature": ""}
HIDDEN: Final = {"type": "redacted_thinking", "data": "c2VjcmV0"}
TEXT: Final = {"type": "text", "text": "a signature_delta, no error, block_start message_stop"}
MANY: Final = [SIGNED, TEXT, HIDDEN, UNSIGNED, SIGNED, TEXT, UNSIGNED | {"thinking": "more"}]


def streamed(*blocks: dict[str, Any]) -> list[bytes]:
    """The blocks as a stream of events."""
    body = [message_start()]
    for index, each in enumerate(blocks):
        body += _block(index, each)
    return [*body, *ending()]


def _block(index: int, each: dict[str, Any]) -> list[bytes]:
    if each["type"] == "text":
        return text_block(index, *each["text"].split(" "))
    if each["type"] == "redacted_thinking":
        return block(index, each)
    text = each["thinking"]
    deltas = [{"type": "thinking_delta", "thinking": part} for part in (text[:3], text[3:])]
    if each["signature"]:
        deltas.append({"type": "signature_delta", "signature": each["signature"]})
    return block(index, each | {"thinking": "", "signature": ""}, *deltas)


def answer(*blocks: dict[str, Any]) -> bytes:
    return json.dumps(message(content=blocks)).encode()


def in_history(*blocks: dict[str, Any]) -> tuple[bytes, ...]:
    body = {"messages": [{"role": "user", "content": "hi"}, message(content=blocks)]}
    members = edit.members(json.dumps(body).encode())
    assert members is not None
    return thinking.digests(members)


def shown(chunks: Iterable[bytes], coding: str = "", *, reads_text: bool = True) -> StreamWatch:
    watch = StreamWatch(coding, reads_text=reads_text)
    for chunk in chunks:
        watch.feed(chunk)
    assert not watch.dropped
    return watch


WHOLE: Final = b"".join(streamed(*MANY))


def test_a_stream_a_plain_answer_and_the_history_agree() -> None:
    plain = PlainWatch()
    plain.feed(answer(*MANY))

    known = in_history(*MANY)

    assert len(set(known)) == 4
    assert shown(streamed(*MANY)).thinking == plain.thinking == known


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_no_cut_changes_anything(cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), len(WHOLE)]

    watch = shown(WHOLE[a:b] for a, b in pairwise(borders))

    assert watch.thinking == in_history(*MANY)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_nor_does_it_byte_by_byte(line_end: bytes) -> None:
    stream = WHOLE.replace(b"\n", line_end)

    watch = shown(stream[at : at + 1] for at in range(len(stream)))

    assert watch.thinking == in_history(*MANY)


def test_nor_does_a_coding() -> None:
    coded = gzip.compress(WHOLE)
    plain = PlainWatch("gzip")
    plain.feed(gzip.compress(answer(*MANY)))

    assert shown([coded[:90], coded[90:]], "gzip").thinking == in_history(*MANY)
    assert plain.thinking == in_history(*MANY)


def test_where_every_block_is_signed_no_text_is_read() -> None:
    events = streamed(*MANY)

    found = shown(events, reads_text=False)

    assert found.thinking == in_history(SIGNED, HIDDEN, SIGNED)


def test_a_block_that_is_signed_from_the_start_needs_no_delta() -> None:
    begun = [message_start(), *block(0, SIGNED)]

    assert shown(begun, reads_text=False).thinking == in_history(SIGNED)


def test_a_later_signature_replaces_an_earlier_one() -> None:
    deltas = [{"type": "signature_delta", "signature": text} for text in ("first", "second")]

    found = shown([message_start(), *block(0, {"type": "thinking", "thinking": ""}, *deltas)])

    assert found.thinking == (digest.of_signature("second"),)


def test_a_character_cut_in_two_is_one_again() -> None:
    deltas = [{"type": "thinking_delta", "thinking": half} for half in ("\ud83d", "\ude00")]

    found = shown([message_start(), *block(0, {"type": "thinking"}, *deltas)])

    assert found.thinking == in_history({"type": "thinking", "thinking": "\U0001f600"})


@pytest.mark.parametrize("kept", range(1, 5))
def test_a_block_is_known_once_it_is_finished(kept: int) -> None:
    events = [message_start(), *_block(0, UNSIGNED)]

    assert shown(events[:kept]).thinking == ()
    assert shown(events).thinking == in_history(UNSIGNED)


@pytest.mark.parametrize(
    "odd",
    [
        {"index": 0, "content_block": {"type": "thinking"}},
        {"index": 0, "content_block": {"type": "redacted_thinking", "data": 7}},
        {"index": 0, "content_block": {"type": "redacted_thinking", "data": ""}},
        {"content_block": None},
        {"content_block": {"type": ["thinking"], "signature": 1}},
        {},
    ],
)
def test_what_nobody_can_read_is_left_alone(odd: dict[str, Any]) -> None:
    strange = [
        an_event("content_block_start", **odd),
        an_event("content_block_delta", delta="signature_"),
        an_event("content_block_delta", delta={"type": "signature_delta", "signature": [1]}),
        b"event: content_block_delta\ndata: {signature_\n\n",
        an_event("content_block_stop", index=0),
    ]

    found = shown([message_start(), *strange, *_block(1, SIGNED)])

    assert found.thinking == in_history(SIGNED)


def test_a_message_of_endless_blocks_is_remembered_in_bounded_memory() -> None:
    found = Signatures(reads_text=False)

    for number in range(3000):
        found.start(_block(0, HIDDEN | {"data": str(number)})[0])

    assert len(found.digests) == 1024


@pytest.mark.parametrize("document", [b"", b"{}", b"<html>", answer(TEXT)])
def test_a_plain_body_without_thinking_has_none(document: bytes) -> None:
    plain = PlainWatch()
    plain.feed(document)

    assert plain.thinking == ()


def test_a_body_that_cannot_be_read_has_none() -> None:
    plain = PlainWatch("compress")
    plain.feed(answer(SIGNED))
    stream = StreamWatch("compress")
    stream.feed(WHOLE)

    assert plain.thinking == stream.thinking == ()


# On the way past the taps (`passing`).


@pytest.fixture(params=[passing.pass_on, passing.pass_on_in_python])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test, compiled and in Python."""
    monkeypatch.setattr(pump, "pass_on", request.param)


@pytest.mark.usefixtures("_both")
@pytest.mark.parametrize("reads_text", [False, True])
def test_nothing_is_missed_where_content_passes_unparsed(
    upstream: Callable[[Script], str], *, reads_text: bool
) -> None:
    blocks = [TEXT, *MANY]
    flowing: list[Step] = [s for each in streamed(*blocks) for s in (frame(each), 0.003)]
    url = upstream([CHUNKED, *flowing, b"0\r\n\r\n"])
    watch = StreamWatch(reads_text=reads_text)

    relayed = relay(url, pumped=True, watch=watch)

    expected = in_history(*MANY) if reads_text else in_history(SIGNED, HIDDEN, SIGNED)
    assert relayed.content == b"".join(streamed(*blocks))
    assert watch.thinking == expected


def test_only_a_text_that_counts_keeps_content_from_passing() -> None:
    events = [message_start(), *_block(0, UNSIGNED)]

    assert shown(events[:3], reads_text=False).in_content
    assert not shown(events[:3], reads_text=True).in_content
    assert shown(events, reads_text=True).in_content


@pytest.mark.parametrize("each", streamed(SIGNED, HIDDEN, UNSIGNED))
def test_what_must_be_seen_is_no_content(each: bytes) -> None:
    passes = b"thinking_delta" in each or b"block_stop" in each

    assert is_content(each) == passing.is_content_in_python(each) == passes
