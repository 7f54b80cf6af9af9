"""A fake Messages API in a process of its own, cheap enough not to distort what is measured.

    python -m bench.fake_upstream        prints its port, serves until its standard input closes

What it does for a request stands in the query, which a relay keeps:

    POST /v1/messages?framing=gzip&events=100&interval_ms=50     a timed stream
    POST /v1/messages?nonce=ab12&events=20&last=1                a stream of nonces, then close
    POST /v1/messages?trial=7&hold=headers                       no answer, ever
    GET  /trial/7                                                when trial 7 came and was closed
    GET  /body/7                                                 the body that trial 7 brought

Without a nonce each delta's text is `time.monotonic_ns()` at its writing; Linux gives all
processes the same monotonic clock.
"""

import asyncio
import gc
import json
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import httptools

from bench import events

Framing = Literal["chunked", "close", "gzip", "plain"]
FRAMINGS: Final[tuple[Framing, ...]] = ("chunked", "close", "gzip")
GZIP: Final = 31
"""zlib's window size that means a gzip header and trailer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request asks of us."""

    trial: str
    framing: str
    events: int
    interval_s: float
    nonce: str
    hold: str
    """`headers`: never answer; `stream`: never go on after the first delta."""
    is_last: bool
    """Close the connection after the answer."""


def plan(query: str) -> Plan:
    """Read a query; what it does not say has a default."""
    asked = dict(parse_qsl(query))
    framing = asked.get("framing", "chunked")
    return Plan(
        trial=asked.get("trial", ""),
        framing=framing,
        events=int(asked.get("events", "1")),
        interval_s=int(asked.get("interval_ms", "0")) / 1000,
        nonce=asked.get("nonce", ""),
        hold=asked.get("hold", ""),
        is_last=framing == "close" or "last" in asked,
    )


@dataclass(slots=True)
class Trial:
    """What happened to one request, by the monotonic clock."""

    body: bytes
    received_ns: int
    closed_ns: int = 0


class Stream:
    """One answer being written, an event at a time."""

    def __init__(
        self, transport: asyncio.Transport, asked: Plan, on_end: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._plan = asked
        self._on_end = on_end
        self._sent = 0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._gzip = zlib.compressobj(wbits=GZIP) if asked.framing == "gzip" else None

    def start(self) -> None:
        """Write headers and opening; the deltas follow in their interval."""
        head = [b"HTTP/1.1 200 OK", b"content-type: text/event-stream", b"request-id: req_bench"]
        if self._gzip:
            head.append(b"content-encoding: gzip")
        if self._plan.framing != "close":
            head.append(b"transfer-encoding: chunked")
        if self._plan.is_last:
            head.append(b"connection: close")
        self._transport.write(b"\r\n".join(head) + b"\r\n\r\n" + self._framed(events.OPENING))
        self._again()

    def _again(self) -> None:
        self._due += self._plan.interval_s
        self._loop.call_at(self._due, self._next)

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        if self._sent == self._plan.events:
            self._end()
            return
        word = self._plan.nonce or str(time.monotonic_ns())
        self._transport.write(self._framed(events.delta(word)))
        self._sent += 1
        if self._plan.hold != "stream":
            self._again()

    def _end(self) -> None:
        tail = self._framed(events.CLOSING)
        if self._gzip and (rest := self._gzip.flush()):
            tail += _chunk(rest)
        self._transport.write(tail if self._plan.framing == "close" else tail + b"0\r\n\r\n")
        self._on_end()

    def _framed(self, data: bytes) -> bytes:
        if self._plan.framing == "close":
            return data
        if self._gzip:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        return _chunk(data)


class Connection(asyncio.Protocol):
    """One connection of a relay or a client; requests come one after another."""

    def __init__(self, trials: dict[str, Trial]) -> None:
        self._trials = trials
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._target = b""
        self._body: list[bytes] = []
        self._open_trial = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio types it wider
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        """Note when a trial lost its connection while it was still open."""
        if self._open_trial:
            self._trials[self._open_trial].closed_ns = time.monotonic_ns()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        self._parser.feed_data(data)

    def on_url(self, part: bytes) -> None:
        """Collect the request target."""
        self._target += part

    def on_body(self, part: bytes) -> None:
        """Collect the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Answer, and be ready for the next request."""
        target = urlsplit(self._target.decode())
        body = b"".join(self._body)
        self._target, self._body = b"", []
        if target.path.startswith("/trial/"):
            self._tell(self._trials.get(target.path.rpartition("/")[2]))
        elif target.path.startswith("/body/"):
            self._plain(self._trials[target.path.rpartition("/")[2]].body)
        else:
            self._answer(plan(target.query), body)

    def _answer(self, asked: Plan, body: bytes) -> None:
        if asked.trial:
            self._trials[asked.trial] = Trial(body, time.monotonic_ns())
            self._open_trial = asked.trial
        if asked.hold == "headers":
            return
        if asked.framing == "plain":
            self._plain(events.PLAIN)
            return
        Stream(self._transport, asked, lambda: self._ended(is_last=asked.is_last)).start()

    def _ended(self, *, is_last: bool) -> None:
        self._open_trial = ""
        if is_last:
            self._transport.close()

    def _tell(self, trial: Trial | None) -> None:
        times = {"received_ns": 0, "closed_ns": 0}
        if trial:
            times = {"received_ns": trial.received_ns, "closed_ns": trial.closed_ns}
        self._plain(json.dumps(times).encode())

    def _plain(self, body: bytes) -> None:
        self._open_trial = ""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve() -> None:
    """Serve on a free port until standard input closes."""
    loop = asyncio.get_running_loop()
    trials: dict[str, Trial] = {}
    server = await loop.create_server(lambda: Connection(trials), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.disable()  # a collection would show as latency of the relay
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
