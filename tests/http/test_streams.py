"""Streams arrive event by event and byte for byte (A.5: 44, 45, 49; G8, G9; behaviour 4.8)."""

import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, Framing, says, says_error, says_json, streams
from tests.scripted.client import STREAM_MSG, Cut, Response
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

WHOLE = b"".join(messages.text_stream())
GZIP = {"Accept-Encoding": "gzip"}
GATE_S = 0.2
"""`routing.gate.content_ms`: what a first event without content may wait."""
SILENCE_S = 2.4
"""Long enough for two pings at the shortest interval."""


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    """Pings as often, and the gate as short, as the configuration allows."""
    server = {"ping_interval_ms": 1000, "timeout_ms": 3000}
    routing = {"gate": {"first_event_ms": 1000}}
    entry = provider("p", plain_upstream, "k1")
    return start_relay(config(entry, server=server, routing=routing))


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/event-stream; charset=utf-8"])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_a_stream_is_the_same_bytes_under_plain_headers(
    plain: Relay, plain_upstream: Upstream, framing: Framing, content_type: str
) -> None:
    plain_upstream.says(streams(framing=framing, content_type=content_type))
    answer = plain.post(STREAM_MSG)
    assert answer.status == 200
    assert answer.header("content-type") == "text/event-stream"
    assert answer.header("cache-control") == "no-cache, no-transform"
    assert answer.header("x-accel-buffering") == "no"
    assert answer.content == WHOLE


def test_a_plain_answer_has_none_of_the_headers_of_streams(
    plain: Relay, plain_upstream: Upstream
) -> None:
    answer = plain.post(STREAM_MSG)
    assert len(plain_upstream.requests) == 1
    assert answer.json() == messages.message()
    assert answer.header("cache-control") is None
    assert answer.header("x-accel-buffering") is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_every_event_arrives_before_the_next_is_sent(
    plain: Relay,
    plain_upstream: Upstream,
    framing: Framing,
    packed: bool,  # noqa: FBT001  pytest passes by name
) -> None:
    events = [messages.message_start() + messages.text_block(0)[0]]
    events += [messages.text_block(0, str(n))[1] for n in range(4)]
    last = b"".join(messages.text_block(0)[-1:] + messages.ending())
    plain_upstream.says(streams(*events, last, framing=framing, pause_s=0.3, gzip=packed))
    answer = plain.post(STREAM_MSG, GZIP if packed else {})
    pieces = list(answer.pieces())
    wrote_at = plain_upstream.only().wrote_at
    first, *rest = events
    assert pieces[0].at - wrote_at[0] < GATE_S + 0.1
    assert len(pieces) >= len(events)
    for piece, wrote in zip(pieces[1 : 1 + len(rest)], wrote_at[1:], strict=False):
        assert piece.at - wrote < 0.1
    assert packed or [piece.data for piece in pieces[: len(events)]] == [first, *rest]
    assert (gzip.decompress(answer.content) if packed else answer.content) == b"".join(
        [*events, last]
    )


def test_the_first_event_does_not_wait_for_the_second(
    plain: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    plain_upstream.says(streams(messages.message_start(), hold, *messages.text_stream()[1:]))
    asked_at = time.monotonic()
    answer = plain.post(STREAM_MSG)
    assert answer.take(1) == messages.message_start()
    assert time.monotonic() - asked_at < 0.4  # 200 ms of it are the gate's
    hold.set()
    assert answer.content == WHOLE


def test_an_upstreams_ping_arrives_as_one(plain: Relay, plain_upstream: Upstream) -> None:
    events = [messages.message_start(), messages.PING, *messages.text_stream()[1:]]
    plain_upstream.says(streams(*events))
    assert plain.post(STREAM_MSG).content == b"".join(events)


@pytest.mark.parametrize(
    "body",
    [
        WHOLE.replace(b"\n", b"\r\n"),
        b": a comment\nid: 7\nretry: 5\n" + WHOLE,
        WHOLE.replace(b"event: ", b"event:").replace(b"data: ", b"data:"),
        messages.event("made_up_2099", x="\u2028") + WHOLE,
        WHOLE + b"data: [DONE]\n\n",
        b"".join(messages.text_stream("\u00fc\U0001f600" * 500)),
        b"".join(messages.text_stream("x" * 2_000_000)),
    ],
    ids=["crlf", "comment", "no-space", "unknown", "done", "unicode", "2MB"],
)
@pytest.mark.parametrize("cut_at", [1, 7, 100_000_000])
def test_whatever_is_an_event_stream_passes_unchanged(
    plain: Relay, plain_upstream: Upstream, body: bytes, cut_at: int
) -> None:
    size = cut_at if len(body) < 50_000 else max(cut_at, 1000)
    plain_upstream.says(streams(*(body[at : at + size] for at in range(0, len(body), size))))
    assert plain.post(STREAM_MSG).content.startswith(body.removesuffix(b"data: [DONE]\n\n"))


def test_a_body_ends_with_message_stop(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(streams(*messages.text_stream(), ends="open"))
    asked_at = time.monotonic()
    assert plain.post(STREAM_MSG).content == WHOLE
    assert time.monotonic() - asked_at < 1


def test_the_connection_serves_on_after_a_stream(plain: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.answers_with(streams())
    connection = plain.connect()
    for _ in range(3):
        assert connection.ask("POST", "/v1/messages", STREAM_MSG).content == WHOLE


def test_an_empty_message_is_a_message(plain: Relay, plain_upstream: Upstream) -> None:
    empty = messages.message(content=[], stop_reason="max_tokens")
    plain_upstream.says(says_json(empty))
    assert plain.post().json() == empty
    begun = [messages.message_start(), *messages.ending("max_tokens")]
    plain_upstream.says(streams(*begun))
    assert plain.post(STREAM_MSG).content == b"".join(begun)


def test_pings_come_into_silence_between_events(relay: Relay, plain_upstream: Upstream) -> None:
    begun = messages.beginning()
    rest = messages.text_stream()[len(begun) :]
    plain_upstream.says(streams(*begun, SILENCE_S, *rest))
    body = relay.post(STREAM_MSG).content
    assert messages.names(body).count("ping") == 2
    assert dict(messages.events(body))["ping"] == {"type": "ping"}
    assert body.replace(b'event: ping\ndata: {"type": "ping"}\n\n', b"") == WHOLE


def test_no_ping_comes_into_a_stream_that_speaks(relay: Relay, plain_upstream: Upstream) -> None:
    begun = messages.beginning(*"abcdefg")
    rest = messages.text_stream()[-3:]
    plain_upstream.says(streams(*begun, *rest, pause_s=0.3))
    assert relay.post(STREAM_MSG).content == b"".join([*begun, *rest])


@pytest.mark.parametrize("cut_at", [1, 10, -1, -2])
def test_no_ping_comes_inside_an_event(relay: Relay, plain_upstream: Upstream, cut_at: int) -> None:
    begun, half = messages.beginning()[:-1], messages.beginning()[-1]
    rest = messages.text_stream()[len(begun) + 1 :]
    plain_upstream.says(streams(*begun, half[:cut_at], 1.3, half[cut_at:], *rest))
    assert relay.post(STREAM_MSG).content == WHOLE


def test_no_ping_comes_into_compressed_bytes(relay: Relay, plain_upstream: Upstream) -> None:
    begun = messages.beginning()
    rest = messages.text_stream()[len(begun) :]
    plain_upstream.says(streams(*begun, 1.3, *rest, gzip=True))
    assert gzip.decompress(relay.post(STREAM_MSG, GZIP).content) == WHOLE


def test_no_ping_comes_into_a_plain_answer(relay: Relay, plain_upstream: Upstream) -> None:
    reply = b'{"type":"message","content":[],"x":"' + b"x" * 2_000_000 + b'"}'
    fields = {"Content-Type": "application/json"}
    plain_upstream.says(says(200, fields, reply[:1_500_000], 1.3, reply[1_500_000:]))
    assert relay.post(STREAM_MSG).content == reply


def test_a_stream_that_does_not_begin_is_begun_with_pings(
    relay: Relay, plain_upstream: Upstream
) -> None:
    plain_upstream.says(streams(before=(SILENCE_S,)))
    asked_at = time.monotonic()
    answer = relay.post(STREAM_MSG)
    assert 0.8 < time.monotonic() - asked_at < 1.6
    assert answer.status == 200
    assert answer.header("content-type") == "text/event-stream"
    names = messages.names(answer.content)
    pings = names.index("message_start")
    assert pings >= 1
    assert set(names[:pings]) == {"ping"}
    assert answer.content.endswith(WHOLE)


def test_an_error_after_the_first_ping_becomes_an_event(
    relay: Relay, plain_upstream: Upstream
) -> None:
    late = says_error(529, "overloaded_error")
    plain_upstream.says(Answer(529, late.headers, late.steps, "length", (1.5,), "clean"))
    answer = relay.post(STREAM_MSG)
    assert answer.status == 200
    events = _events_of(answer)
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["type"] == "overloaded_error"
    assert {name for name, _ in events[:-1]} <= {"ping"}


def test_a_plain_call_is_waited_for(relay: Relay, plain_upstream: Upstream) -> None:
    plain_upstream.says(says_json(messages.message(), before=(1.5,)))
    assert relay.post().json() == messages.message()


def test_a_stream_with_traffic_outlives_every_timeout(
    relay: Relay, plain_upstream: Upstream
) -> None:
    texts = "abcdefghijklmnop"
    plain_upstream.says(streams(*messages.text_stream(*texts), pause_s=0.3))
    began_at = time.monotonic()
    assert relay.post(STREAM_MSG).content == b"".join(messages.text_stream(*texts))
    assert time.monotonic() - began_at > 3.5  # more than `timeout_ms`


def _events_of(answer: Response) -> list[tuple[str, dict[str, Any]]]:
    with contextlib.suppress(Cut):  # what came before the cut is what counts here
        _ = answer.content
    return list(messages.events(answer.so_far))
