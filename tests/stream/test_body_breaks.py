"""A body that breaks never looks whole: an error event where it can stand, then the cut."""

import gzip
import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import StreamCut, UpstreamBroken, UpstreamIdle
from relay.messages import events, sse
from relay.messages.usage import Usage
from relay.stream.body import Ending, LateRefusal
from relay.stream.drain import Draining
from relay.stream.watch import PlainWatch, StreamWatch
from tests.stream.relayed import BEGUN, Relayed
from tests.stream.script import (
    DELTA,
    OVERLOADED,
    PING,
    START,
    STOP,
    WHOLE,
    Item,
)


def error_type(piece: bytes) -> str:
    assert sse.event_type(piece) == "error"
    shape = json.loads(sse.data(piece))
    assert shape["type"] == "error"
    return str(shape["error"]["type"])


FAILURES = [
    (UpstreamBroken("reset"), Ending.BROKEN, "api_error"),
    (UpstreamIdle("silent for 1 s"), Ending.SILENT, "timeout_error"),
    (b"", Ending.BROKEN, "api_error"),  # a clean end without message_stop
    (Draining(), Ending.DRAINED, "overloaded_error"),
]


@pytest.mark.parametrize(("failure", "ending", "kind"), FAILURES)
def test_a_broken_stream_ends_with_an_error_event_and_the_cut(
    failure: Item, ending: Ending, kind: str
) -> None:
    relayed = Relayed((1, DELTA), (2, failure), held=BEGUN)

    *pieces, last = relayed.read()

    assert pieces == [BEGUN, DELTA]
    assert error_type(last) == kind
    assert (relayed.cut, relayed.ending) == (True, ending)
    assert relayed.usage == Usage(7, 1)


@pytest.mark.parametrize(("failure", "ending", "_kind"), FAILURES)
def test_a_broken_stream_is_only_cut_where_that_is_asked_for(
    failure: Item, ending: Ending, _kind: str
) -> None:
    relayed = Relayed((1, DELTA), (2, failure), held=BEGUN, failure="cut")

    assert relayed.read() == [BEGUN, DELTA]
    assert (relayed.cut, relayed.ending) == (True, ending)


@pytest.mark.parametrize(("failure", "_ending", "_kind"), FAILURES)
def test_before_any_block_a_broken_stream_is_said_to_be_overloaded(
    failure: Item, _ending: Ending, _kind: str
) -> None:
    relayed = Relayed((1, START), (2, failure))

    assert error_type(relayed.read()[-1]) == "overloaded_error"
    assert relayed.cut


@pytest.mark.parametrize(("failure", "ending", "_kind"), FAILURES)
def test_inside_an_event_there_is_only_the_cut(failure: Item, ending: Ending, _kind: str) -> None:
    relayed = Relayed((1, DELTA[:9]), (2, failure), held=BEGUN)

    assert relayed.read() == [BEGUN, DELTA[:9]]
    assert (relayed.cut, relayed.ending) == (True, ending)


@pytest.mark.parametrize(("failure", "ending", "_kind"), FAILURES)
def test_in_a_compressed_stream_there_is_only_the_cut(
    failure: Item, ending: Ending, _kind: str
) -> None:
    held = gzip.compress(BEGUN)
    relayed = Relayed((2, failure), held=held, watch=StreamWatch("gzip"))

    assert relayed.read() == [held]
    assert (relayed.cut, relayed.ending) == (True, ending)


@pytest.mark.parametrize("failure", [UpstreamBroken("short"), UpstreamIdle("silent"), Draining()])
def test_a_plain_body_that_breaks_off_is_cut_short(failure: Exception) -> None:
    relayed = Relayed((1, b"half"), (2, failure), watch=PlainWatch())

    assert relayed.read() == [b"half"]
    assert relayed.cut


@pytest.mark.parametrize("mode", ["cut", "event"])
@given(cut=st.integers(0, len(WHOLE) - 1))
def test_a_stream_broken_anywhere_never_ends_cleanly_and_never_makes_up_a_stop(
    mode: Literal["cut", "event"], cut: int
) -> None:
    relayed = Relayed((1, WHOLE[:cut]), (2, UpstreamBroken("reset")), failure=mode)
    stop_came = cut > len(WHOLE) - 2

    got = b"".join(relayed.read())

    assert relayed.cut
    assert got.count(b"event: message_stop") == WHOLE[:cut].count(b"event: message_stop")
    assert stop_came or relayed.ending is Ending.BROKEN


def test_what_the_network_said_does_not_reach_the_client() -> None:
    relayed = Relayed((1, UpstreamBroken("10.0.0.7:443 reset")), held=BEGUN)

    assert b"10.0.0.7" not in b"".join(relayed.read())


def test_after_the_cut_there_is_nothing_more() -> None:
    relayed = Relayed((1, UpstreamBroken("reset")), held=BEGUN)
    relayed.body.__next__()
    relayed.body.__next__()

    for _ in range(3):
        with pytest.raises(StreamCut):
            next(relayed.body)


def test_an_error_event_of_the_upstream_is_relayed_and_ends_as_the_upstream_ends() -> None:
    relayed = Relayed((1, OVERLOADED), held=BEGUN)

    assert relayed.read() == [BEGUN, OVERLOADED]
    assert (relayed.cut, relayed.ending) == (False, Ending.ERRORED)


def test_a_break_behind_the_upstreams_own_error_adds_no_second_one() -> None:
    relayed = Relayed((1, OVERLOADED), (2, UpstreamBroken("reset")), held=BEGUN)

    assert relayed.read() == [BEGUN, OVERLOADED]
    assert (relayed.cut, relayed.ending) == (True, Ending.ERRORED)


def test_a_last_event_without_its_empty_line_is_the_end_it_says() -> None:
    relayed = Relayed((1, STOP.rstrip(b"\n")), held=BEGUN)

    assert relayed.read() == [BEGUN, STOP.rstrip(b"\n")]
    assert (relayed.cut, relayed.ending) == (False, Ending.COMPLETE)


def test_an_event_longer_than_any_is_a_broken_stream() -> None:
    piece = b"x" * (8 << 20)
    relayed = Relayed(*[(1.0, piece)] * 8, held=BEGUN + b"data: ")

    assert relayed.read() == [BEGUN + b"data: ", piece, piece, piece]
    assert (relayed.cut, relayed.ending) == (True, Ending.BROKEN)


@pytest.mark.parametrize("mode", ["cut", "event"])
def test_a_late_refusal_is_an_error_event_of_its_type_and_the_cut(
    mode: Literal["cut", "event"],
) -> None:
    relayed = Relayed((20, LateRefusal("rate_limit_error", "slow down")), failure=mode)

    *pings, last = relayed.read()

    assert pings == [PING, PING]
    assert last == events.error_event("rate_limit_error", "slow down")
    assert (relayed.cut, relayed.ending) == (True, Ending.REFUSED)
