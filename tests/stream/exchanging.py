"""One stream relayed between real sockets, by the iterator or by the pump.

What gunicorn does with the pieces of the iterator is done by hand, so that both ways meet the same
upstream, the same client and the same watch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import gevent
from gevent import socket

from relay.clock import SystemClock
from relay.errors import ClientLeft, StreamCut
from relay.stream.body import Body, Ending
from relay.stream.disconnect import ClientWatch
from relay.stream.gate import Committed
from relay.stream.pump import Outlet
from relay.stream.tap import Tap
from relay.stream.watch import StreamWatch
from relay.upstream.client import Client
from tests.stream.test_both_ways import connected, frame
from tests.upstream.scripted import Peer, Script, a_request

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


class Copy:
    """A tap that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self.seen.append(chunk)

    def finish(self) -> None:
        """The copy is complete as it is."""


@dataclass
class Exchange:
    """One stream on its way from `url` to `reader`, in a greenlet of its own."""

    client: Client
    url: str
    pumped: bool
    coding: str = ""
    failure: Literal["cut", "event"] = "event"
    taps: Sequence[Tap] = ()
    watch: ClientWatch = field(default_factory=lambda: ClientWatch(SystemClock(), poll_s=0.02))
    buffer_bytes: int = 0
    """The kernel's buffers on the way to the client, as small as they can be; 0: as they are."""
    write_timeout_s: float = 0.5
    endings: list[Ending] = field(default_factory=list)
    cut: bool = False

    def __post_init__(self) -> None:
        self.served, self.reader = connected()
        if self.buffer_bytes:
            self.served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer_bytes)
            self.reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer_bytes)
        self.greenlet = gevent.spawn(self._serve)

    def result(self) -> tuple[bytes, bool, Ending]:
        """Read to the end: the bytes, whether the connection was cut, and what was settled."""
        came: list[bytes] = []
        with gevent.Timeout(15), self.reader:
            while data := self.reader.recv(1 << 20):
                came.append(data)
            self.greenlet.get()
        [ending] = self.endings
        return unframed(b"".join(came)), self.cut, ending

    def _serve(self) -> None:
        call = self.client.begin(a_request(self.url))
        response = call.head()
        assert response is not None
        held = response.read1() or b""
        watch = StreamWatch(self.coding)
        watch.feed(held)
        body = Body(
            source=response,
            committed=Committed(held, watch),
            ping_interval_s=15,
            failure=self.failure,
            presence=self.watch.watch(self.served, write_timeout_s=self.write_timeout_s),
            outlet=Outlet(self.served) if self.pumped else None,
            on_close=lambda ending, _usage: self.endings.append(ending),
            taps=self.taps,
        )
        body.direct()
        try:
            for piece in body:
                self.served.sendall(frame(piece) if piece else b"")
            self.served.sendall(LAST)
        except (StreamCut, ClientLeft, OSError):
            self.cut = True
        finally:
            body.close()
            call.close()
            self.served.close()


def unframed(wire: bytes) -> bytes:
    """A body without its chunk framing, which has to be whole up to where it stops."""
    out: list[bytes] = []
    at = 0
    while at < len(wire):
        end = wire.index(b"\r\n", at)
        size = int(wire[at:end], 16)
        at = end + 2 + size + 2
        assert at <= len(wire), "half a chunk"
        assert wire[at - 2 : at] == b"\r\n"
        out.append(wire[end + 2 : at - 2])
        assert size or at == len(wire), "bytes after the last chunk"
    return b"".join(out)


def plays(*steps: bytes | float, ends: Literal["open", "close", "reset"] = "open") -> Script:
    """Answer each request with these steps: bytes are written, a number is waited."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            for step in steps:
                if isinstance(step, bytes):
                    peer.send(step)
                else:
                    gevent.sleep(step)
            if ends == "reset":
                peer.reset()
            if ends != "open":
                return

    return script
