"""A body relays what comes, each read at once, and ends when the message does."""

import gzip
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import ClientLeft, UpstreamBroken
from relay.messages import sse
from relay.messages.usage import Usage
from relay.stream.body import Body, Ending
from relay.stream.disconnect import Absent
from relay.stream.gate import Committed
from relay.stream.watch import PlainWatch, StreamWatch
from tests.stream.relayed import BEGUN, Relayed
from tests.stream.script import (
    DELTA,
    MESSAGE_DELTA,
    PING,
    STOP,
    WHOLE,
    FakeClock,
    Scripted,
    event,
)


def test_a_stream_is_relayed_byte_for_byte_each_read_at_once() -> None:
    relayed = Relayed((1, DELTA), (2, DELTA[:7]), (3, DELTA[7:]), (4, STOP), held=BEGUN)

    assert relayed.read() == [BEGUN, DELTA, DELTA[:7], DELTA[7:], STOP]
    assert not relayed.cut
    assert relayed.ending is Ending.COMPLETE


@given(st.lists(st.integers(0, len(WHOLE)), max_size=10, unique=True))
def test_no_cut_changes_a_byte_or_the_count(cuts: list[int]) -> None:
    borders = sorted({0, *cuts, len(WHOLE)})
    pieces = [WHOLE[borders[at] : borders[at + 1]] for at in range(len(borders) - 1)]

    relayed = Relayed(*[(1.0, piece) for piece in pieces[1:]], held=pieces[0])

    assert relayed.read() == pieces
    assert (relayed.ending, relayed.usage) == (Ending.COMPLETE, Usage(7, 9))


def test_the_body_ends_at_once_after_message_stop_while_the_upstream_stays_open() -> None:
    relayed = Relayed((1, STOP), (60, PING), held=BEGUN)

    assert relayed.read() == [BEGUN, STOP]
    assert relayed.clock.now < 101.1
    assert relayed.ending is Ending.COMPLETE


def test_a_message_stop_among_the_held_bytes_ends_the_body_too() -> None:
    relayed = Relayed((60, PING), held=WHOLE)

    assert relayed.read() == [WHOLE]
    assert relayed.clock.now < 100.1


def test_the_upstreams_own_end_is_read_so_that_its_connection_can_serve_again() -> None:
    relayed = Relayed((1, STOP), held=BEGUN)

    relayed.read()

    assert relayed.source.reads == 2  # the stop, and the end behind it


def test_what_comes_right_behind_message_stop_is_relayed() -> None:
    relayed = Relayed((1, STOP), (1.01, b"data: [DONE]\n\n"), (60, PING), held=BEGUN)

    assert relayed.read() == [BEGUN, STOP, b"data: [DONE]\n\n"]
    assert relayed.clock.now < 101.1


def test_a_break_behind_message_stop_does_not_matter() -> None:
    relayed = Relayed((1, STOP), (1.01, UpstreamBroken("reset")), held=BEGUN)

    assert relayed.read() == [BEGUN, STOP]
    assert (relayed.cut, relayed.ending) == (False, Ending.COMPLETE)


def test_a_body_closed_right_after_message_stop_is_complete() -> None:
    relayed = Relayed((1, STOP), held=BEGUN)

    assert [next(relayed.body), next(relayed.body)] == [BEGUN, STOP]
    relayed.body.close()

    assert relayed.ending is Ending.COMPLETE


def test_silence_is_filled_with_pings() -> None:
    relayed = Relayed((50, STOP), held=BEGUN)

    assert relayed.read() == [BEGUN, PING, PING, PING, STOP]
    assert relayed.clock.now < 150.1


def test_a_stream_committed_before_its_first_event_begins_with_a_ping_at_once() -> None:
    relayed = Relayed((5, WHOLE))

    assert next(relayed.body) == PING
    assert relayed.clock.now == 100
    assert relayed.read() == [WHOLE]


def test_no_ping_stands_inside_an_event() -> None:
    relayed = Relayed((20, DELTA[:9]), (60, DELTA[9:]), (80, STOP), held=BEGUN)

    assert relayed.read() == [BEGUN, PING, DELTA[:9], DELTA[9:], PING, STOP]


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, len(WHOLE))), max_size=8))
def test_pings_never_change_the_events(cuts: list[tuple[float, int]]) -> None:
    borders = sorted({0, len(WHOLE), *(cut for _, cut in cuts)})
    pieces = [WHOLE[borders[at] : borders[at + 1]] for at in range(len(borders) - 1)]
    waits = [wait for wait, _ in cuts] + [0.0] * len(pieces)
    times = [sum(waits[: at + 1]) for at in range(len(pieces))]

    relayed = Relayed(*zip(times, pieces, strict=True))

    got = sse.EventSplitter().feed(b"".join(relayed.read()))
    assert [e for e in got if e != PING] == [
        e for e in sse.EventSplitter().feed(WHOLE) if e != PING
    ]


def test_nothing_is_written_into_a_compressed_stream() -> None:
    body = gzip.compress(WHOLE)
    relayed = Relayed((50, body[40:]), held=body[:40], watch=StreamWatch("gzip"))

    assert relayed.read() == [body[:40], body[40:]]
    assert (relayed.ending, relayed.usage) == (Ending.COMPLETE, Usage(7, 9))


def test_a_compressed_stream_committed_empty_sends_its_status_line_at_once() -> None:
    relayed = Relayed((50, gzip.compress(WHOLE)), watch=StreamWatch("gzip"))

    assert next(relayed.body) == b""
    assert relayed.clock.now == 100


def test_nothing_is_written_into_a_plain_body() -> None:
    relayed = Relayed((50, b"{}"), watch=PlainWatch())

    assert relayed.read() == [b"{}"]
    assert relayed.ending is Ending.COMPLETE


def test_a_complete_plain_body_is_not_read_again() -> None:
    relayed = Relayed(
        (1, UpstreamBroken("read after the end")), held=b"{}", watch=PlainWatch(), complete=True
    )

    assert relayed.read() == [b"{}"]
    assert relayed.source.reads == 0
    assert relayed.ending is Ending.COMPLETE


def test_a_client_that_left_ends_the_body_with_what_was_counted() -> None:
    relayed = Relayed((1, MESSAGE_DELTA), (2, ClientLeft()), held=BEGUN)

    with pytest.raises(ClientLeft):
        relayed.read()
    relayed.body.close()

    assert (relayed.ending, relayed.usage) == (Ending.CLIENT_LEFT, Usage(7, 9))


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_body_closed_before_its_end_was_left_by_its_client(pieces: int) -> None:
    relayed = Relayed((1, DELTA), (2, STOP), held=BEGUN)
    for _ in range(pieces):
        next(relayed.body)

    relayed.body.close()

    assert relayed.ending is Ending.CLIENT_LEFT


def test_close_gives_everything_back_once() -> None:
    relayed = Relayed((1, STOP), held=BEGUN)
    relayed.read()

    relayed.body.close()
    relayed.body.close()

    assert (relayed.source.closes, relayed.recorder.stops) == (1, 1)
    assert len(relayed.recorder.endings) == 1
    assert list(relayed.body) == []


def test_close_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    def failing(ending: Ending, usage: Usage) -> None:
        raise RuntimeError(ending.name, usage)

    source = Scripted(FakeClock())
    body = Body(
        source=source,
        committed=Committed(b"", StreamWatch()),
        ping_interval_s=15,
        failure="cut",
        presence=Absent(),
        on_close=failing,
    )

    with caplog.at_level(logging.ERROR, "relay"):
        body.close()

    assert source.closes == 1
    assert [record.getMessage() for record in caplog.records] == ["settling failed"]


class Notes:
    """A tap that notes what it saw, and when the client had it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[bytes] = []
        self._fails = fails

    def feed(self, chunk: bytes) -> None:
        self.seen.append(chunk)
        if self._fails:
            raise ValueError("a tap's own fault")


def test_taps_see_each_chunk_before_the_client_and_cannot_fail_the_stream() -> None:
    notes, failing = Notes(), Notes(fails=True)
    watch = StreamWatch()
    watch.feed(BEGUN)
    body = Body(
        source=Scripted(FakeClock(), (1, DELTA), (30, STOP)),
        committed=Committed(BEGUN, watch),
        ping_interval_s=15,
        failure="cut",
        presence=Absent(),
        on_close=lambda _ending, _usage: None,
        taps=[failing, notes],
    )

    seen_at_hand_over = [(piece, list(notes.seen)) for piece in body]
    body.close()

    assert seen_at_hand_over == [
        (BEGUN, [BEGUN]),
        (DELTA, [BEGUN, DELTA]),
        (PING, [BEGUN, DELTA]),  # our own: no tap's matter
        (STOP, [BEGUN, DELTA, STOP]),
    ]
    assert failing.seen == [BEGUN]


def test_a_stream_whose_copy_cannot_be_read_is_relayed_to_its_end() -> None:
    relayed = Relayed((1, b"\x00" * 9), (50, event("x")), held=b"?", watch=StreamWatch("compress"))

    assert relayed.read() == [b"?", b"\x00" * 9, event("x")]
    assert (relayed.cut, relayed.ending) == (False, Ending.COMPLETE)
