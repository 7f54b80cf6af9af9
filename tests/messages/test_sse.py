"""Events do not depend on how the stream was cut, and memory on what is in it."""

import tracemalloc
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import sse
from relay.messages.sse import MAX_EVENT_BYTES, MAX_KEPT_BYTES, EventSplitter

# What WHATWG's web platform tests feed to EventSource, each with the events in it.
CASES: Final[list[tuple[bytes, list[tuple[str, bytes]]]]] = [
    (b"data:1\n\n", [("", b"1")]),
    (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [("", b"1"), ("", b"2")]),
    (b"data:1\r\rdata:2\r\r", [("", b"1"), ("", b"2")]),
    (b"data:1\n\r\ndata:2\r\n\ndata:3\r\n\r", [("", b"1"), ("", b"2"), ("", b"3")]),
    (
        b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n",
        [("", b"1"), ("", b""), ("", b"3")],
    ),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\n", [("", b""), ("", b"2")]),
    (b"data: a\ndata:  b\ndata\n\n", [("", b"a\n b\n")]),
    (b"event: x\ndata:1\n\n", [("x", b"1")]),
    (b"event:x\r\ndata:1\r\n\r\n", [("x", b"1")]),
    (b"event: x\nevent: y\ndata:1\n\n", [("y", b"1")]),
    (b": comment\n:\nretry: 3\nid: 4\nevent: x\ndata: 1\n\n", [("x", b"1")]),
    (b"data: [DONE]\n\n", [("", b"[DONE]")]),
    (b'data: {"type": "message_stop"}\n\n', [("message_stop", b'{"type": "message_stop"}')]),
    (b"event: x\ndata: unfinished\n", []),
]


def read(raw: list[bytes]) -> list[tuple[str, bytes]]:
    """The events that have a name or data."""
    return [(sse.event_type(event), sse.data(event)) for event in raw]


def fed(chunks: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)]


@pytest.mark.parametrize(("stream", "events"), CASES)
def test_a_stream_is_read_alike_whole_and_byte_by_byte(
    stream: bytes, events: list[tuple[str, bytes]]
) -> None:
    whole = fed([stream])

    assert read(whole) == events
    assert fed([stream[at : at + 1] for at in range(len(stream))]) == whole


@pytest.mark.parametrize(("stream", "events"), CASES)
def test_a_stream_is_read_alike_when_cut_once_anywhere(
    stream: bytes, events: list[tuple[str, bytes]]
) -> None:
    for cut in range(len(stream) + 1):
        assert read(fed([stream[:cut], stream[cut:]])) == events


PIECES: Final = st.sampled_from(
    [b"\n", b"\r", b"\r\n", b"\n\n", b"data: x", b"event: ping", b":", b"\xef\xbb\xbf", b"a"]
)


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
def test_events_do_not_depend_on_chunk_borders(chunks: list[bytes]) -> None:
    assert fed(chunks) == fed([b"".join(chunks)])


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
def test_the_events_joined_are_the_stream_again(chunks: list[bytes]) -> None:
    stream = b"".join(chunks).removeprefix(b"\xef\xbb\xbf")

    assert stream.startswith(b"".join(fed(chunks)))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_boundary_is_only_between_complete_events(end: bytes) -> None:
    splitter = EventSplitter()
    event = b"event: ping" + end + b"data: {}" + end + end
    first_that_can_be_last = len(event) - (1 if end == b"\r\n" else 0)

    assert splitter.at_boundary
    for position in range(1, len(event) + 1):
        splitter.feed(event[position - 1 : position])
        assert splitter.at_boundary == (position >= first_that_can_be_last)


def test_half_a_byte_order_mark_is_no_boundary() -> None:
    splitter = EventSplitter()

    splitter.feed(b"\xef\xbb")

    assert not splitter.at_boundary


@pytest.mark.parametrize("chunk_bytes", [1000, 65_536, 3 << 20])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_an_event_too_long_to_keep_passes_uncounted(chunk_bytes: int, end: bytes) -> None:
    splitter = EventSplitter()
    long = b"data: " + b"x" * (2 * MAX_KEPT_BYTES) + end
    stream = b"event: a" + end + long + b"event: b" + end

    events = []
    for at in range(0, len(stream), chunk_bytes):
        events += splitter.feed(stream[at : at + chunk_bytes])

    assert [kind for kind, _ in read(events)] == ["a", "b"]
    assert splitter.uncounted == 1
    assert splitter.at_boundary
    assert not splitter.oversized


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("chunk_bytes", [65_536, 64 << 20])
def test_only_an_event_over_the_limit_is_oversized(over: int, chunk_bytes: int) -> None:
    splitter = EventSplitter()
    event = b"data: ".ljust(MAX_EVENT_BYTES - 2 + over, b"x") + b"\n\n"

    for at in range(0, len(event), chunk_bytes):
        splitter.feed(event[at : at + chunk_bytes])

    assert splitter.oversized == bool(over)


def test_an_endless_line_takes_bounded_memory() -> None:
    splitter = EventSplitter()
    chunk = b"x" * 65_536
    tracemalloc.start()

    for _ in range(1024):
        splitter.feed(chunk)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert splitter.oversized
    assert not splitter.at_boundary
    assert peak < 8 << 20
