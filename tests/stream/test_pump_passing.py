"""Chunks of mere content pass the pump unparsed: only such, and nobody can tell the difference."""

from collections.abc import Callable

import pytest

from relay.stream import passing, pump
from relay.stream.body import Ending
from tests.stream.test_both_ways import (
    BEGUN,
    CHUNKED,
    EVENTS,
    REST,
    WHOLE,
    Script,
    Step,
    chunked,
    frame,
    relay,
    upstream,
)

__all__ = ["upstream"]


@pytest.fixture(autouse=True, params=[passing.pass_on, passing.pass_on_in_python])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test, compiled and in Python."""
    monkeypatch.setattr(pump, "pass_on", request.param)


LAST = b"0\r\n\r\n"
DELTA = next(event for event in EVENTS if b"content_block_delta" in event)
SIZE = b"%x" % len(DELTA)
FLOWING: list[Step] = [CHUNKED, frame(BEGUN), 0.02, frame(DELTA), 0.02, frame(DELTA), 0.02]

ODD_FRAMES = {
    "capitals": frame(DELTA).replace(SIZE, SIZE.upper(), 1),
    "leading zeros": b"00" + frame(DELTA),
    "extension": frame(DELTA).replace(SIZE, SIZE + b";a=b", 1),
    "two in one packet": frame(DELTA) * 2,
    "two in one packet, one of them odd": frame(DELTA) + b"0" + frame(DELTA),
    "events in two chunks": frame(DELTA[:20]) + frame(DELTA[20:] + DELTA),
    "a chunk and the size of the next": frame(DELTA) + SIZE,
    "a chunk and half of the next": frame(DELTA) + frame(DELTA)[:60],
    "comment": frame(b": \n\n"),
    "text that looks like a frame": frame(b"event: ping\ndata: 1\r\n\n\n"),
}
BROKEN_FRAMES = {
    "plus": b"+" + frame(DELTA),
    "base": b"0x" + frame(DELTA),
    "space": b" " + frame(DELTA),
    "underscore": b"0_" + frame(DELTA),
    "too short a size": frame(DELTA).replace(SIZE, b"%x" % (len(DELTA) - 1), 1),
    "no size": DELTA + b"\r\n",
}


def strict(wire: bytes) -> bytes:
    """The body, from frames as only we and well-behaved upstreams write them."""
    body = b""
    while wire and not wire.startswith(b"0"):
        size = int(wire.partition(b"\r\n")[0], 16)
        piece = wire[len(b"%x\r\n" % size) :][:size]
        assert wire.startswith(frame(piece))
        wire, body = wire[len(frame(piece)) :], body + piece
    assert wire in {b"", LAST}
    return body


@pytest.mark.parametrize("odd", ODD_FRAMES.values(), ids=ODD_FRAMES)
def test_a_frame_of_another_kind_arrives_as_an_ordinary_one(
    upstream: Callable[[Script], str], odd: bytes
) -> None:
    tail = frame(DELTA)[len(SIZE) :] if odd.endswith(SIZE) else b""
    tail = frame(DELTA)[60:] if odd == ODD_FRAMES["a chunk and half of the next"] else tail
    end = [frame(each) for each in REST]
    url = upstream([*FLOWING, odd, 0.02, tail, frame(DELTA), 0.02, *end, LAST])

    by_iterator = relay(url, pumped=False)
    by_pump = relay(url, pumped=True)

    assert strict(by_pump.wire) == by_iterator.content
    assert by_pump.ending is by_iterator.ending is Ending.COMPLETE
    assert by_pump.usage == by_iterator.usage


@pytest.mark.parametrize("broken", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES)
def test_a_frame_that_is_none_never_reaches_the_client(
    upstream: Callable[[Script], str], broken: bytes
) -> None:
    url = upstream([*FLOWING, broken, 0.02, *[frame(each) for each in REST], LAST])

    relayed = relay(url, pumped=True)

    assert relayed.cut
    assert relayed.ending is Ending.BROKEN
    assert strict(relayed.wire).startswith(BEGUN + DELTA * 2)


def test_the_time_of_silence_counts_from_the_last_chunk_that_passed(
    upstream: Callable[[Script], str],
) -> None:
    # The pump looks for silence each 0.6 s: it leaves at 1.2 s, and the rest comes at 1.4 s.
    flowing: list[Step] = [DELTA, 0.1] * 5
    url = upstream([*chunked(BEGUN, 0.01, *flowing, 0.9, *REST), LAST])

    relayed = relay(url, pumped=True, idle_s=1.2)

    assert relayed.ending is Ending.COMPLETE
    assert relayed.content == BEGUN + DELTA * 5 + b"".join(REST)


@pytest.mark.parametrize("last", [b"error", b"message_delta"])
def test_what_counts_is_seen_between_chunks_that_passed(
    upstream: Callable[[Script], str], last: bytes
) -> None:
    said = {
        b"error": b'event: error\ndata: {"type":"error","error":{"type":"x","message":"y"}}\n\n',
        b"message_delta": b'event: message_delta\ndata: {"type":"message_delta","delta":{},'
        b'"usage":{"output_tokens":4321}}\n\n',
    }[last]
    url = upstream([*FLOWING, frame(said), 0.02, frame(DELTA), 0.02, LAST])

    relayed = relay(url, pumped=True)

    if last == b"error":
        assert relayed.ending is Ending.ERRORED
    else:
        assert relayed.usage.output_tokens == 4321


def test_an_upstream_that_ends_between_chunks_that_passed_is_a_cut(
    upstream: Callable[[Script], str],
) -> None:
    url = upstream([*FLOWING, frame(DELTA), 0.02, -1.0])

    relayed = relay(url, pumped=True)

    assert (relayed.cut, relayed.ending) == (True, Ending.BROKEN)
    assert strict(relayed.wire).startswith(BEGUN + DELTA * 3)


def test_the_connection_of_a_stream_that_passed_serves_the_next(
    upstream: Callable[[Script], str],
) -> None:
    steps: list[Step] = [step for each in REST for step in (each, 0.01)]
    url = upstream([*chunked(BEGUN, 0.01, DELTA, 0.01, DELTA, 0.01, *steps), LAST])

    relayed = [relay(url, pumped=True) for _ in range(2)]

    assert [each.content for each in relayed] == [BEGUN + DELTA * 2 + b"".join(REST)] * 2
    assert WHOLE.startswith(BEGUN)
