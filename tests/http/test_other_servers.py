"""The same bytes under every server: by the pump under gunicorn, by the iterator elsewhere.

Every expectation here is one for all: gunicorn, gunicorn that ends TLS itself, `gevent.pywsgi` and
`flask run`. Where they differ, the difference is said by a test of its own, at the end.
"""

import gzip
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, Ends, Step, says, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG, Connection, Cut, Response, head
from tests.scripted.config import config, provider
from tests.scripted.servers import (
    FLASK,
    GUNICORN,
    GUNICORN_TLS,
    PYWSGI,
    Kind,
    Served,
    named,
    side_by_side,
)
from tests.scripted.upstream import Upstream

KINDS = (GUNICORN, GUNICORN_TLS, PYWSGI, FLASK)
PING_S = 1.0
EVENTS = messages.text_stream(*(f"word {n}" for n in range(20)))
WHOLE = b"".join(EVENTS)
BEGUN = messages.beginning()
REST = messages.text_stream()[len(BEGUN) :]
BROKEN = (
    b'event: error\ndata: {"type":"error","error":'
    b'{"type":"api_error","message":"the upstream broke off the stream"}}\n\n'
)
EVENT_STREAM = {"Content-Type": "text/event-stream"}

Servers = Mapping[Kind, Served]


@pytest.fixture(scope="module")
def servers(
    plain_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """All of them, side by side."""
    server = {"ping_interval_ms": int(PING_S * 1000)}
    settings = config(provider("p", plain_upstream, "k1"), server=server)
    with side_by_side(KINDS, tmp_path_factory.mktemp("served"), settings) as started:
        yield started


@pytest.fixture(params=KINDS, ids=named)
def connection(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Connection]:
    """A connection to one server after the other."""
    with servers[request.param].connect() as connection:
        yield connection


@pytest.fixture
def connections(servers: Servers) -> Iterator[dict[str, Connection]]:
    """One connection to each server, for tests that have to wait: they wait once."""
    with ExitStack() as stack:
        yield {kind.name: stack.enter_context(served.connect()) for kind, served in servers.items()}


def asked(connection: Connection, **headers: str) -> Response:
    return connection.ask("POST", "/v1/messages", STREAM_MSG, headers)


def at_all(connections: dict[str, Connection]) -> dict[str, Response]:
    """The same stream from all servers at the same time."""
    for connection in connections.values():
        connection.begin("POST", "/v1/messages", STREAM_MSG)
    return {name: connection.response() for name, connection in connections.items()}


def pieces_of(body: bytes) -> list[bytes]:
    """Cut where no event ends: within a name, before a newline, between two."""
    first, last = body.index(b"\n\n"), len(body) - 1
    borders = [0, 3, first, first + 1, first + 30, len(body) // 2, last, len(body)]
    return [body[a:b] for a, b in pairwise(borders)]


def paused(*steps: bytes) -> list[Step]:
    return [each for step in steps for each in (step, 0.01)]


def extended() -> Answer:
    """Chunks with extensions and a trailer, a size line in two packets."""
    lines = [b'%x;a=b;c="d"\r\n%b\r\n' % (len(event), event) for event in EVENTS]
    wire = b"".join(lines) + b"0;last\r\nX-Trailer: there\r\n\r\n"
    fields = EVENT_STREAM | {"Transfer-Encoding": "chunked"}
    return says(200, fields, *paused(wire[:2], wire[2:500], wire[500:]), framing="close")


FRAMINGS = {
    "an event a chunk": streams(*EVENTS, pause_s=0.003),
    "several events a chunk": streams(b"".join(EVENTS[:6]), 0.01, b"".join(EVENTS[6:])),
    "everything at once": streams(WHOLE),
    "events over chunks": streams(*paused(*pieces_of(WHOLE))),
    "extensions": extended(),
    "length": streams(*paused(*pieces_of(WHOLE)), framing="length"),
    "close": streams(*paused(*pieces_of(WHOLE)), framing="close"),
    "open after message_stop": streams(*EVENTS, pause_s=0.003, ends="open"),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_stream_is_the_same_bytes(
    connection: Connection, plain_upstream: Upstream, framing: str
) -> None:
    plain_upstream.says(FRAMINGS[framing])

    answer = asked(connection)

    assert answer.status == 200
    assert answer.header("content-type") == "text/event-stream"
    assert answer.header("cache-control") == "no-cache, no-transform"
    assert answer.content == WHOLE


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_compressed_stream_stays_as_it_is(
    connection: Connection, plain_upstream: Upstream, framing: str
) -> None:
    packed = gzip.compress(WHOLE, mtime=0)
    cuts = [packed[:11], packed[11:90], packed[90:-5], packed[-5:]]
    fields = EVENT_STREAM | {"Content-Encoding": "gzip"}
    plain_upstream.says(
        says(200, fields, *paused(*cuts), framing="close" if framing == "close" else "chunked")
    )

    answer = asked(connection, **{"Accept-Encoding": "gzip"})

    assert answer.header("content-encoding") == "gzip"
    assert answer.content == packed


def test_each_event_arrives_before_the_next_one_is_sent(
    connection: Connection, plain_upstream: Upstream
) -> None:
    bursts = [b"".join(BEGUN), *(messages.text_block(0, str(n))[1] for n in range(8))]
    holds = [threading.Event() for _ in bursts]
    plain_upstream.says(
        streams(*(step for pair in zip(bursts, holds, strict=True) for step in pair), *REST)
    )
    began = time.monotonic()

    answer = asked(connection)
    came = []
    for hold, piece in zip(holds, answer.pieces(), strict=False):
        came.append(piece.data)
        hold.set()

    assert came == bursts
    assert time.monotonic() - began < PING_S
    assert answer.content == b"".join([*bursts, *REST])


@pytest.mark.parametrize("ends", ["reset", "clean"])
def test_a_stream_that_breaks_off_is_told_and_cut(
    connection: Connection, plain_upstream: Upstream, ends: Ends
) -> None:
    plain_upstream.says(streams(*BEGUN, 0.05, REST[0], 0.05, ends=ends))

    answer = asked(connection)

    assert answer.is_cut()
    assert answer.so_far == b"".join([*BEGUN, REST[0], BROKEN])


def test_a_stream_that_breaks_off_inside_an_event_is_cut_there(
    connection: Connection, plain_upstream: Upstream
) -> None:
    plain_upstream.says(streams(*BEGUN, 0.05, REST[0][:9], 0.05, ends="close"))

    answer = asked(connection)

    assert answer.is_cut()
    assert answer.so_far == b"".join([*BEGUN, REST[0][:9]])


def test_into_a_silence_a_ping_is_written(
    connections: dict[str, Connection], plain_upstream: Upstream
) -> None:
    plain_upstream.answers_with(streams(*BEGUN, PING_S * 1.3, *REST))

    came = {name: answer.content for name, answer in at_all(connections).items()}

    assert came == dict.fromkeys(came, b"".join([*BEGUN, messages.PING, *REST]))
    assert len(came) == len(KINDS)


def test_into_a_silence_inside_an_event_nothing_is_written(
    connections: dict[str, Connection], plain_upstream: Upstream
) -> None:
    first, *others = REST
    plain_upstream.answers_with(streams(*BEGUN, first[:9], PING_S * 1.3, first[9:], *others))

    came = {name: answer.content for name, answer in at_all(connections).items()}

    assert came == dict.fromkeys(came, b"".join([*BEGUN, *REST]))
    assert len(came) == len(KINDS)


def test_a_plain_answer_has_its_length_and_the_same_bytes(
    connection: Connection, plain_upstream: Upstream
) -> None:
    document = messages.message("x" * 100_000)
    plain_upstream.says(says_json(document))

    answer = connection.ask("POST", "/v1/messages", MSG)

    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.content))
    assert answer.content == json.dumps(document).encode()


@pytest.mark.parametrize("kind", [GUNICORN, GUNICORN_TLS, PYWSGI], ids=named)
def test_a_client_of_http_1_0_gets_the_same_bytes_until_the_connection_ends(
    servers: Servers, plain_upstream: Upstream, kind: Kind
) -> None:
    """Without `flask run`: werkzeug answers every client in chunks."""
    plain_upstream.says(streams(*EVENTS, pause_s=0.003))

    with servers[kind].connect() as connection:
        asks = head("POST", "/v1/messages", STREAM_MSG) + STREAM_MSG
        connection.send(asks.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        answer = connection.response()

        assert answer.status == 200
        assert not answer.chunked
        assert answer.header("content-length") is None
        assert answer.content == WHOLE


def test_head_is_answered_without_a_body(connection: Connection) -> None:
    answer = connection.ask("HEAD", "/v1/models", headers={"Connection": "close"})

    assert answer.status == 200
    assert int(answer.header("content-length") or 0) > 0
    with pytest.raises(Cut):
        connection.some(1)


@pytest.mark.parametrize("kind", [GUNICORN, GUNICORN_TLS, PYWSGI], ids=named)
def test_a_connection_serves_on_after_a_stream(
    servers: Servers, plain_upstream: Upstream, kind: Kind
) -> None:
    """Without `flask run`: werkzeug serves one request a connection."""
    plain_upstream.answers_with(streams(*EVENTS))

    with servers[kind].connect() as connection:
        assert [asked(connection).content for _ in range(3)] == [WHOLE] * 3


@pytest.mark.parametrize(("kind", "size"), [(GUNICORN, b"abc"), (GUNICORN_TLS, b"ABC")])
def test_gunicorn_has_the_pump_unless_it_ends_tls(
    servers: Servers, plain_upstream: Upstream, kind: Kind, size: bytes
) -> None:
    """Told by the digits of a chunk's size, which the pump writes small and gunicorn large."""
    event = messages.text_block(0, "x" * 0xABC)[1]
    event = event.replace(b"x" * (len(event) - 0xABC), b"", 1)
    plain_upstream.says(streams(b"".join(BEGUN), 0.1, event, 0.1, *REST))

    with servers[kind].connect() as connection:
        asked(connection)
        connection.exactly(int(connection.line(), 16) + 2)

        assert len(event) == 0xABC
        assert connection.line() == size
