"""What may be written into a stream, and when it may end."""

import gzip

import pytest

from relay.messages.usage import NO_USAGE, Usage
from relay.stream.watch import PlainWatch, StreamWatch
from tests.stream.script import BLOCK, DELTA, OVERLOADED, START, STOP, WHOLE


def shown(*chunks: bytes, coding: str = "") -> StreamWatch:
    watch = StreamWatch(coding)
    for chunk in chunks:
        watch.feed(chunk)
    return watch


@pytest.mark.parametrize(
    ("chunks", "writable"),
    [
        ((), True),
        ((START,), True),
        ((START, BLOCK, DELTA), True),
        ((START, DELTA[:-1]), False),
        ((START, DELTA[:9]), False),
        ((START, STOP), False),
        ((START, OVERLOADED), False),
    ],
)
def test_an_event_may_be_written_between_events_of_a_message_under_way(
    chunks: tuple[bytes, ...], *, writable: bool
) -> None:
    assert shown(*chunks).writable == writable


def test_nothing_is_written_into_compressed_bytes() -> None:
    watch = shown(gzip.compress(START), coding="gzip")

    assert not watch.writable
    assert watch.usage == Usage(7, 1)


@pytest.mark.parametrize(
    ("chunks", "whole"),
    [((), False), ((START, BLOCK, DELTA), False), ((WHOLE,), True), ((START, OVERLOADED), True)],
)
def test_a_stream_is_whole_with_its_stop_or_the_upstreams_own_error(
    chunks: tuple[bytes, ...], *, whole: bool
) -> None:
    assert shown(*chunks).whole == whole


def test_a_stream_of_unknown_coding_is_left_alone() -> None:
    watch = shown(WHOLE, coding="compress")
    watch.finish()

    assert watch.blind
    assert watch.whole
    assert [watch.writable, watch.stopped, watch.oversized] == [False] * 3
    assert watch.usage == NO_USAGE


def test_a_stream_whose_copy_cannot_be_decoded_is_left_alone() -> None:
    watch = shown(b"no gzip at all", WHOLE, coding="gzip")
    watch.finish()

    assert watch.blind
    assert watch.whole
    assert not watch.writable


def test_a_plain_body_ends_where_the_upstream_ends_it() -> None:
    watch = PlainWatch("gzip")
    watch.feed(gzip.compress(b'{"usage":{"output_tokens":4}}'))
    watch.finish()

    assert watch.whole
    assert [watch.writable, watch.stopped, watch.events] == [False] * 3
    assert watch.usage == Usage(output_tokens=4)
    assert watch.document == b'{"usage":{"output_tokens":4}}'


@pytest.mark.parametrize("coding", ["gzip", "compress"])
def test_a_plain_body_that_cannot_be_read_says_nothing(coding: str) -> None:
    watch = PlainWatch(coding)
    watch.feed(b'{"type":"error"}')

    assert watch.document == b""
    assert watch.usage == NO_USAGE
