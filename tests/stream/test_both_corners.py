"""The corners of a stream, by the iterator and by the pump: one expectation for both."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.stream.body import Ending
from relay.upstream.client import Client
from tests.scripted import messages
from tests.stream.conftest import Start
from tests.stream.exchanging import CHUNKED, HEAD, LAST, Copy, Exchange, plays
from tests.stream.test_both_ways import BEGUN, REST, WHOLE, frame
from tests.upstream.scripted import CA_FILE

OVERLOADED = messages.event("error", error={"type": "overloaded_error", "message": "busy"})
DELTA = messages.text_block(0, "more")[1]


@pytest.fixture(params=["iterator", "pump"])
def pumped(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "pump")


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(ca_file=CA_FILE)
    yield made
    made.close()


def test_a_stream_over_tls_arrives_whole_and_its_connection_serves_the_next(
    server: Start, client: Client, *, pumped: bool
) -> None:
    burst = DELTA * 2000  # many TLS records at once: none may stay behind in the library
    body = [frame(e) for e in (BEGUN, burst, *REST)]
    upstream = server(plays(CHUNKED, body[0], 0.02, *body[1:], LAST), certificate="good")

    for _ in range(3):
        exchange = Exchange(client, upstream.url(), pumped)
        assert exchange.result() == (BEGUN + burst + b"".join(REST), False, Ending.COMPLETE)
    assert upstream.connections == 1


def test_tls_records_that_are_parts_of_a_chunk_arrive_at_once(
    server: Start, client: Client, *, pumped: bool
) -> None:
    whole = frame(WHOLE[len(BEGUN) :])
    pieces = [step for n in range(0, len(whole), 40) for step in (whole[n : n + 40], 0.001)]
    upstream = server(plays(CHUNKED, frame(BEGUN), 0.02, *pieces, LAST), certificate="good")

    assert Exchange(client, upstream.url(), pumped).result() == (WHOLE, False, Ending.COMPLETE)


@pytest.mark.parametrize("failure", ["cut", "event"])
@pytest.mark.parametrize("ends", ["close", "reset"])
@pytest.mark.parametrize("certificate", ["", "good"])
def test_a_stream_that_breaks_off_is_cut_behind_all_that_came(
    server: Start,
    client: Client,
    certificate: str,
    ends: Literal["close", "reset"],
    failure: Literal["cut", "event"],
    *,
    pumped: bool,
) -> None:
    script = plays(CHUNKED, frame(BEGUN), 0.02, frame(DELTA), 0.05, ends=ends)
    upstream = server(script, certificate)

    got, cut, ending = Exchange(client, upstream.url(), pumped, failure=failure).result()

    assert (cut, ending) == (True, Ending.BROKEN)
    assert got.startswith(BEGUN + DELTA)
    told = messages.names(got[len(BEGUN + DELTA) :])
    assert told == ([] if failure == "cut" else ["error"])


@pytest.mark.parametrize(
    "behind", [LAST, b"zz\r\n", frame(DELTA)[:20]], ids=["end", "nonsense", "half"]
)
def test_behind_the_upstreams_own_error_its_end_decides_about_the_cut(
    server: Start, client: Client, behind: bytes, *, pumped: bool
) -> None:
    steps: list[bytes | float] = [
        frame(BEGUN),
        0.02,
        frame(OVERLOADED),
        0.03,
        behind,
        0.02,
    ]  # read apart
    upstream = server(plays(CHUNKED, *steps, ends="close"))

    got, cut, ending = Exchange(client, upstream.url(), pumped).result()

    assert got.startswith(BEGUN + OVERLOADED)
    assert got.count(b"event: error") == 1
    assert (cut, ending) == (behind != LAST, Ending.ERRORED)


def test_nonsense_in_a_stream_nobody_can_read_is_a_cut(
    server: Start, client: Client, *, pumped: bool
) -> None:
    steps: list[bytes | float] = [frame(b"unreadable"), 0.02, frame(b"more"), 0.03, b"zz\r\n"]
    upstream = server(plays(CHUNKED, *steps))

    got = Exchange(client, upstream.url(), pumped, coding="x-unknown").result()

    assert got == (b"unreadablemore", True, Ending.BROKEN)


@pytest.mark.parametrize("apart", [True, False], ids=["apart", "in one packet"])
@pytest.mark.parametrize("coding", ["x-unknown", ""])
def test_nonsense_behind_a_chunk_is_a_cut_however_it_arrives(
    server: Start, client: Client, coding: str, *, apart: bool, pumped: bool
) -> None:
    last = frame(OVERLOADED)
    behind: list[bytes | float] = [last, 0.03, b"zz\r\n"] if apart else [last + b"zz\r\n"]
    steps: list[bytes | float] = [frame(BEGUN), 0.02, *behind]
    upstream = server(plays(CHUNKED, *steps, ends="close"))

    got, cut, _ = Exchange(client, upstream.url(), pumped, coding=coding).result()

    assert got == BEGUN + OVERLOADED
    assert cut


def test_an_event_longer_than_any_is_cut_inside_it(
    server: Start, client: Client, *, pumped: bool
) -> None:
    piece = b"x" * (1 << 20)
    steps: list[bytes | float] = [frame(BEGUN), 0.02, frame(b"data: "), *[frame(piece)] * 40]
    upstream = server(plays(CHUNKED, *steps))

    got, cut, ending = Exchange(client, upstream.url(), pumped).result()

    assert (cut, ending) == (True, Ending.BROKEN)
    assert got[: len(BEGUN) + 6] == BEGUN + b"data: "
    assert 31 << 20 < got.count(b"x", len(BEGUN)) <= 33 << 20
    assert b"event: error" not in got


def test_every_byte_passes_each_tap_once_and_in_order(
    server: Start, client: Client, *, pumped: bool
) -> None:
    body = [step for event in REST for step in (frame(event), 0.003)]
    upstream = server(plays(CHUNKED, frame(BEGUN), 0.02, *body, LAST))
    first, second = Copy(), Copy()

    got, _, ending = Exchange(client, upstream.url(), pumped, taps=(first, second)).result()

    assert ending is Ending.COMPLETE
    assert got == WHOLE
    assert b"".join(first.seen) == b"".join(second.seen) == WHOLE
    assert len(first.seen) > 2


def test_draining_ends_a_stream_at_once_with_an_error_event_and_the_cut(
    server: Start, client: Client, *, pumped: bool
) -> None:
    endless = [step for _ in range(2000) for step in (frame(DELTA), 0.005)]
    upstream = server(plays(CHUNKED, frame(BEGUN), 0.02, *endless))
    exchange = Exchange(client, upstream.url(), pumped)
    gevent.spawn_later(0.2, exchange.watch.drain)

    with gevent.Timeout(1):
        got, cut, ending = exchange.result()

    assert (cut, ending) == (True, Ending.DRAINED)
    assert messages.names(got)[-2:] == ["content_block_delta", "error"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cuts=st.lists(st.integers(1, len(WHOLE) + 40), max_size=8),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    close_delimited=st.booleans(),
)
def test_no_border_of_the_upstreams_packets_changes_what_arrives(
    server: Start,
    client: Client,
    cuts: list[int],
    newline: bytes,
    *,
    close_delimited: bool,
) -> None:
    body = WHOLE.replace(b"\n", newline)
    wire = HEAD + b"\r\n" + body if close_delimited else CHUNKED + frame(body) + LAST
    borders = [0, *sorted({cut for cut in cuts if cut < len(wire)}), len(wire)]
    steps = [s for a, b in pairwise(borders) for s in (wire[a:b], 0.002)]
    upstream = server(plays(*steps, ends="close" if close_delimited else "open"))

    by_both = [Exchange(client, upstream.url(), pumped).result() for pumped in (False, True)]

    assert by_both == [(body, False, Ending.COMPLETE)] * 2
