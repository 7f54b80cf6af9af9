"""The gate commits a stream at its first content or at its limits, or refuses it."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import UpstreamBroken, UpstreamIdle
from relay.messages.usage import NO_USAGE, Usage
from relay.stream.gate import MAX_HELD_BYTES, Refused
from relay.stream.watch import StreamWatch
from tests.stream.judged import committed, judged, refused
from tests.stream.script import (
    BLOCK,
    BLOCK_STOP,
    DELTA,
    MESSAGE_DELTA,
    OVERLOADED,
    PING,
    START,
    STOP,
    WHOLE,
    Item,
    event,
)


@pytest.mark.parametrize(
    "content_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream ;"]
)
def test_a_stream_is_committed_with_its_first_delta(content_type: str) -> None:
    verdict, after_s = committed(
        (1, START), (1.5, PING), (2, BLOCK), (2.5, DELTA), (3, DELTA), content_type=content_type
    )

    assert (verdict.held, after_s) == (START + PING + BLOCK + DELTA, 2.5)
    assert isinstance(verdict.watch, StreamWatch)
    assert verdict.watch.usage == Usage(7, 1)
    assert not verdict.complete


@pytest.mark.parametrize("last", [BLOCK + BLOCK_STOP, MESSAGE_DELTA, STOP])
def test_a_stream_is_committed_with_what_only_a_complete_message_has(last: bytes) -> None:
    verdict, after_s = committed((1, START), (1.5, last), (9, STOP))

    assert (verdict.held, after_s) == (START + last, 1.5)


def test_a_block_without_its_first_delta_is_not_yet_content() -> None:
    _, after_s = committed((1, START + BLOCK), (1.5, DELTA[:-1]), (1.75, DELTA[-1:]), (9, STOP))

    assert after_s == 1.75


def test_a_delta_without_a_block_is_no_content() -> None:
    _, after_s = committed((1, START), (1.5, DELTA), (9, STOP))

    assert after_s == 3


@pytest.mark.parametrize("first", [START, PING])
def test_a_stream_is_committed_when_content_is_late_after_the_first_event(first: bytes) -> None:
    verdict, after_s = committed((1, first), (2, PING), (4, BLOCK), (5, DELTA))

    assert (verdict.held, after_s) == (first + PING, 3)


def test_half_an_event_and_comments_do_not_start_the_content_clock() -> None:
    _, after_s = committed((1, b": hello\n\n"), (2, START[:-1]), (8, START[-1:]), (20, BLOCK))

    assert after_s == 10  # eight and two: the clock began with the whole event


def test_a_silent_stream_is_committed_empty_at_the_first_event_limit() -> None:
    verdict, after_s = committed((15, START))

    assert (verdict.held, after_s) == (b"", 10)
    assert verdict.watch.writable


def test_the_first_event_limit_counts_from_when_the_request_was_sent() -> None:
    _, after_s = committed((15, START), sent_at=93)

    assert after_s == 3


def test_what_has_arrived_is_judged_even_when_the_limit_has_passed() -> None:
    verdict, _ = judged((0, OVERLOADED), sent_at=0)

    assert isinstance(verdict, Refused)


def test_a_stream_that_never_stops_for_the_limit_is_committed_at_it() -> None:
    pings = [(at / 10, PING) for at in range(10, 200)]

    verdict, after_s = committed(*pings)

    assert after_s == pytest.approx(3, abs=0.2)
    assert verdict.held.count(PING) == pytest.approx(20, abs=2)


def test_more_than_a_megabyte_is_not_held() -> None:
    piece = event("ping", "x" * 60_000)

    verdict, after_s = committed(*[(0.01, piece)] * 30, (1, STOP))

    assert MAX_HELD_BYTES <= len(verdict.held) < MAX_HELD_BYTES + len(piece)
    assert after_s < 1


@given(st.lists(st.integers(1, len(START + BLOCK + DELTA) - 1), max_size=9, unique=True))
def test_cuts_do_not_move_the_commit_point(cuts: list[int]) -> None:
    stream = START + BLOCK + DELTA
    borders = [0, *sorted(cuts), len(stream)]
    items = [(at / 100, stream[borders[at] : borders[at + 1]]) for at in range(len(borders) - 1)]

    verdict, after_s = committed(*items, (1, STOP))

    assert verdict.held == stream
    assert after_s == pytest.approx(items[-1][0])


def test_an_error_event_is_refused_with_what_it_says() -> None:
    verdict = refused((1, OVERLOADED))

    assert (verdict.kind, verdict.error_type) == ("error_event", "overloaded_error")
    assert verdict.message == "busy"
    assert json.loads(verdict.body)["error"]["type"] == "overloaded_error"


def test_an_error_event_before_any_content_is_refused_with_the_usage_so_far() -> None:
    verdict = refused((1, START + PING + BLOCK), (2, OVERLOADED))

    assert verdict.kind == "error_event"
    assert verdict.usage == Usage(7, 1)


def test_an_error_event_right_behind_content_is_relayed() -> None:
    verdict, _ = committed((1, START + BLOCK + DELTA + OVERLOADED))

    assert verdict.watch.error is not None


def test_an_error_event_without_its_empty_line_is_refused_at_the_end() -> None:
    assert refused((1, OVERLOADED.rstrip(b"\n"))).kind == "error_event"


def test_an_empty_stream_is_refused() -> None:
    assert refused().kind == "empty"


@pytest.mark.parametrize("begun", [PING, START, START + BLOCK, b"{}", START + BLOCK + DELTA[:-9]])
def test_a_stream_that_ends_before_its_content_is_refused(begun: bytes) -> None:
    assert refused((1, begun)).kind == "ended"


def test_a_complete_stream_whose_last_empty_line_is_missing_is_committed() -> None:
    verdict, _ = committed((1, START + STOP.rstrip(b"\n")))

    assert verdict.watch.stopped


@pytest.mark.parametrize("items", [[], [(1, START)], [(1, START + BLOCK)]])
def test_a_stream_that_breaks_before_its_content_is_refused(
    items: list[tuple[float, Item]],
) -> None:
    verdict = refused(*items, (2, UpstreamBroken("connection reset")))

    assert (verdict.kind, verdict.message) == ("broken", "connection reset")
    assert verdict.usage == (Usage(7, 1) if items else NO_USAGE)


def test_a_stream_that_falls_silent_before_its_content_is_refused() -> None:
    assert refused((1, START), (2, UpstreamIdle("silent for 1 s"))).kind == "idle"


def test_a_compressed_stream_is_judged_by_its_copy_and_held_as_it_came() -> None:
    body = gzip.compress(START + BLOCK + DELTA)

    verdict, _ = committed((1, body), (9, b"more"), coding="gzip")

    assert verdict.held == body
    assert refused((1, gzip.compress(OVERLOADED)), coding="gzip").kind == "error_event"


@pytest.mark.parametrize("coding", ["compress", "gzip, br"])
def test_a_stream_of_unknown_coding_is_committed_at_its_first_bytes(coding: str) -> None:
    verdict, after_s = committed((1, b"\x1f\x9d"), (9, b"more"), coding=coding)

    assert (verdict.held, after_s) == (b"\x1f\x9d", 1)


def test_a_stream_that_cannot_be_decoded_is_committed_at_once() -> None:
    verdict, after_s = committed((1, b"no gzip"), (9, b"more"), coding="gzip")

    assert (verdict.held, after_s) == (b"no gzip", 1)


def test_a_whole_stream_in_one_piece_is_held_in_one_piece() -> None:
    assert committed((1, WHOLE))[0].held == WHOLE
