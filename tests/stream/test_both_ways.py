"""A stream leaves by the iterator or by the pump: the client gets the same bytes (decision 0014).

Real sockets on both sides: an upstream that plays a script, the transport's own response, and a
client read to its end. What gunicorn does with the iterator's pieces is done here by hand.
"""

import gzip
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from relay.errors import ClientLeft, StreamCut
from relay.messages.usage import Usage
from relay.stream.body import Body, Ending
from relay.stream.disconnect import Absent, ClientWatch
from relay.stream.gate import Committed
from relay.stream.pump import Outlet
from relay.stream.watch import StreamWatch
from relay.upstream.client import Client
from relay.wire import Timeouts, UpstreamRequest
from tests.scripted import messages

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
CLOSED = HEAD + b"connection: close\r\n\r\n"
EVENTS = list(messages.text_stream())
WHOLE = b"".join(EVENTS)
BEGUN = b"".join(messages.beginning())
REST = EVENTS[len(messages.beginning()) :]

Step = bytes | float
Script = Sequence[Step]


def frame(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Relayed:
    """What became of one stream."""

    wire: bytes
    cut: bool
    ending: Ending
    usage: Usage

    @property
    def content(self) -> bytes:
        """The body without its chunk framing; fails on framing that is none."""
        rest, out = self.wire, b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            out, end, rest = out + rest[:length], rest[length : length + 2], rest[length + 2 :]
            assert end == b"\r\n"
            if not length:
                assert rest == b""
        return out


@pytest.fixture
def upstream() -> Iterator[Callable[[Script], str]]:
    """Play a script on each connection: bytes are sent, a number is waited, -1 resets."""
    servers: list[StreamServer] = []

    def start(script: Script) -> str:
        def play(sock: socket.socket, _address: object) -> None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock, suppress(OSError):
                while sock.recv(65536):
                    for step in script:
                        _take(step, sock)
                    if CHUNKED not in script:
                        return

        server = StreamServer(("127.0.0.1", 0), play)
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.stop(timeout=0)


def _take(step: Step, sock: socket.socket) -> None:
    if isinstance(step, bytes):
        sock.sendall(step)
    elif step < 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        sock.close()
    else:
        gevent.sleep(step)


_AT_ONCE = struct.pack("ii", 1, 0)


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.socket() as listener:  # `create_server` would make one that is not gevent's
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
    return served, client


def serve(
    client: Client,
    url: str,
    served: socket.socket,
    *,
    pumped: bool,
    coding: str = "",
    ping_interval_s: float = 15.0,
    idle_s: float = 5.0,
    watched: ClientWatch | None = None,
    watch: StreamWatch | None = None,
) -> tuple[bool, Ending, Usage]:
    """Relay one stream to `served`, as the server would."""
    timeouts = Timeouts(connect_s=5, first_byte_s=5, idle_s=idle_s)
    call = client.begin(UpstreamRequest("POST", url, {"a": "b"}, b"{}", timeouts))
    response = call.head()
    assert response is not None
    held = response.read1() or b""
    watch = watch or StreamWatch(coding)
    watch.feed(held)
    ended: list[tuple[Ending, Usage]] = []
    body = Body(
        source=response,
        committed=Committed(held, watch),
        ping_interval_s=ping_interval_s,
        failure="event",
        presence=watched.watch(served, write_timeout_s=0.5) if watched else Absent(),
        outlet=Outlet(served) if pumped else None,
        on_close=lambda ending, usage: ended.append((ending, usage)),
    )
    body.direct()
    cut = False
    try:
        for piece in body:
            if piece:
                served.sendall(frame(piece))
        served.sendall(b"0\r\n\r\n")
    except (StreamCut, ClientLeft, BrokenPipeError):
        cut = True
    finally:
        body.close()
        call.close()
        served.close()
    return cut, *ended[0]


def read_all(sock: socket.socket) -> bytes:
    out = b""
    with sock:
        while data := sock.recv(65536):
            out += data
    return out


def relay(url: str, *, pumped: bool, client: Client | None = None, **options: object) -> Relayed:
    served, reader = connected()
    own = client or Client()
    reading = gevent.spawn(read_all, reader)
    with gevent.Timeout(10):
        cut, ending, usage = serve(own, url, served, pumped=pumped, **options)  # type: ignore[arg-type]  # the keywords of `serve`
        wire = reading.get()
    if client is None:
        own.close()
    return Relayed(wire, cut, ending, usage)


def chunked(*steps: Step) -> Script:
    return [CHUNKED, *(frame(step) if isinstance(step, bytes) else step for step in steps)]


def odd(body: bytes) -> list[Step]:
    """The body in pieces that are no events, with a moment between them."""
    borders = [0, 1, 7, len(BEGUN) - 1, len(BEGUN) + 2, len(body) - 3, len(body)]
    return [s for a, b in pairwise(borders) for s in (body[a:b], 0.01)]


SCRIPTS: dict[str, tuple[Script, str]] = {
    "chunked": (chunked(BEGUN, *(s for e in REST for s in (e, 0.005))), ""),
    "one chunk": (chunked(WHOLE), ""),
    "odd borders": (chunked(*odd(WHOLE)), ""),
    "close-delimited": ([CLOSED, *odd(WHOLE)], ""),
    "gzip": (chunked(*odd(gzip.compress(WHOLE))), "gzip"),
    "upstream stays open": ([CHUNKED, frame(BEGUN), 0.01, frame(WHOLE[len(BEGUN) :]), 0.3], ""),
    "no message_stop": (chunked(BEGUN, 0.01, b"".join(REST[:-1]), 0.01, b""), ""),
    "closed too early": ([CLOSED, BEGUN, 0.01, REST[0]], ""),
    "reset": ([CHUNKED, frame(BEGUN), 0.02, frame(REST[0]), 0.05, -1.0], ""),
    "reset inside an event": ([CHUNKED, frame(BEGUN), 0.02, frame(REST[0][:9]), 0.05, -1.0], ""),
    "the upstream's own error": (
        chunked(BEGUN, 0.01, messages.event("error", error={"type": "x", "message": "y"}), b""),
        "",
    ),
}
if not WHOLE.startswith(BEGUN):
    raise AssertionError("the scripts are cut at the beginning")
for name in ("chunked", "one chunk", "odd borders", "gzip"):
    SCRIPTS[name] = ([*SCRIPTS[name][0], b"0\r\n\r\n"], SCRIPTS[name][1])


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_ways_bring_the_same_bytes_and_the_same_end(
    upstream: Callable[[Script], str], name: str
) -> None:
    script, coding = SCRIPTS[name]
    url = upstream(script)

    by_iterator = relay(url, pumped=False, coding=coding)
    by_pump = relay(url, pumped=True, coding=coding)

    assert by_pump.content == by_iterator.content
    assert (by_pump.cut, by_pump.ending, by_pump.usage) == (
        by_iterator.cut,
        by_iterator.ending,
        by_iterator.usage,
    )
    if name in {"chunked", "one chunk", "odd borders", "close-delimited"}:
        assert by_pump.content == WHOLE
        assert by_pump.ending is Ending.COMPLETE
