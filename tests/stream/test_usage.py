"""The taps count what the upstream says, in any cut and any coding."""

import gzip
import json
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages.events import ErrorReport
from relay.messages.usage import NO_USAGE, Usage
from relay.stream.decode import Gzip, Identity
from relay.stream.usage import MAX_PLAIN_BYTES, PlainUsageTap, UsageTap
from tests.stream.script import BLOCK, DELTA, MESSAGE_DELTA, OVERLOADED, PING, START, STOP, WHOLE


def shown(*chunks: bytes) -> UsageTap:
    tap = UsageTap(Identity())
    for chunk in chunks:
        tap.feed(chunk)
    return tap


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_a_whole_stream_is_counted_in_any_cut(cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), len(WHOLE)]

    tap = shown(*(WHOLE[a:b] for a, b in pairwise(borders)))

    assert tap.usage == Usage(input_tokens=7, output_tokens=9)
    assert (tap.stopped, tap.content, tap.begun_block, tap.at_boundary) == (True,) * 4
    assert tap.error is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_whole_stream_is_counted_byte_by_byte_with_every_line_end(end: str) -> None:
    stream = WHOLE.replace(b"\n", end.encode())

    tap = shown(*(stream[at : at + 1] for at in range(len(stream))))

    assert tap.usage == Usage(input_tokens=7, output_tokens=9)
    assert tap.stopped


def test_a_compressed_stream_is_counted() -> None:
    tap = UsageTap(Gzip())

    tap.feed(gzip.compress(WHOLE))

    assert tap.usage == Usage(input_tokens=7, output_tokens=9)
    assert tap.stopped


def test_each_message_delta_replaces_the_one_before() -> None:
    more = MESSAGE_DELTA.replace(b"9", b"12")

    tap = shown(START, BLOCK, DELTA, MESSAGE_DELTA, DELTA * 3, more)

    assert tap.usage == Usage(input_tokens=7, output_tokens=12)


@pytest.mark.parametrize(
    ("chunks", "any_event", "content", "begun"),
    [
        ((), False, False, False),
        ((b": comment\n\n",), False, False, False),
        ((PING,), True, False, False),
        ((START, PING), True, False, False),
        ((START, BLOCK), True, False, True),
        ((START, BLOCK, DELTA[:-1]), True, False, True),
        ((START, BLOCK, DELTA), True, True, True),
        ((START, DELTA), True, False, False),
        ((START, MESSAGE_DELTA), True, True, False),
        ((START, STOP), True, True, False),
    ],
)
def test_content_begins_with_a_block_and_its_first_delta(
    chunks: tuple[bytes, ...], *, any_event: bool, content: bool, begun: bool
) -> None:
    tap = shown(*chunks)

    assert (tap.any_event, tap.content, tap.begun_block) == (any_event, content, begun)


def test_the_first_error_is_kept_with_its_document() -> None:
    tap = shown(START, OVERLOADED, OVERLOADED.replace(b"busy", b"again"))

    assert tap.error == ErrorReport("overloaded_error", "busy")
    assert json.loads(tap.error_document)["error"]["message"] == "busy"


def test_an_error_event_nobody_can_read_is_still_an_error() -> None:
    assert shown(b"event: error\ndata: {\n\n").error == ErrorReport("", "")


def test_an_error_in_the_middle_of_a_chunk_is_seen_after_content() -> None:
    tap = shown(START, BLOCK, DELTA, DELTA + OVERLOADED + PING)

    assert tap.error == ErrorReport("overloaded_error", "busy")


def test_a_last_event_without_its_empty_line_counts_at_the_end() -> None:
    tap = shown(START, BLOCK, DELTA, STOP.rstrip(b"\n"))
    before = tap.stopped

    tap.finish()

    assert (before, tap.stopped) == (False, True)


@pytest.mark.parametrize("kept", [9, 25, len(STOP) - 3])
def test_a_last_event_that_is_cut_off_does_not_count(kept: int) -> None:
    tap = shown(START, BLOCK, DELTA, STOP[:kept])

    tap.finish()

    assert not tap.stopped
    assert not tap.at_boundary


def test_an_event_too_long_to_keep_counts_as_a_block() -> None:
    assert shown(b"event: x\ndata: " + b"x" * (2 << 20) + b"\n\n").begun_block


def test_a_plain_message_is_counted() -> None:
    tap = PlainUsageTap(Identity())

    tap.feed(b'{"type":"message","usage":{"input_tok')
    tap.feed(b'ens":3,"output_tokens":4}}')

    assert tap.usage == Usage(3, 4)
    assert tap.document.startswith(b'{"type"')


def test_a_plain_message_too_long_to_keep_is_counted_by_its_end_in_bounded_memory() -> None:
    tap = PlainUsageTap(Identity())
    tracemalloc.start()

    tap.feed(b'{"content":[{"type":"text","text":"')
    for _ in range(1024):
        tap.feed(b"x" * 65_536)
    tap.feed(b'"}],"usage":{"input_tokens":3,"output_tokens":4}}')

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tap.usage == Usage(3, 4)
    assert tap.document == b""
    assert peak < 4 * MAX_PLAIN_BYTES


def test_a_plain_body_that_is_no_message_counts_nothing() -> None:
    tap = PlainUsageTap(Identity())

    tap.feed(b'{"input_tokens": 5}')

    assert tap.usage == NO_USAGE
