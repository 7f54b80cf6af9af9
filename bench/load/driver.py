"""Drive a gateway: so many connections, on each one request after another.

One epoll loop in this process, an event each costs a `recv` and a search for its stamp. Two ways
to use it: `run` for a time, or `step` by step where there is something to look at meanwhile.

    connections ──ask──► gateway ──► upstream
         ▲                              │ stamp in each event
         └────────── answer ◄───────────┘

A stream counts as answered only if it is whole and brought exactly the events it was asked for;
everything else is an error with a reason.
"""

import gc
import heapq
import select
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from bench.load.connection import Connection
from bench.load.gateway import Gateway

FINISH_LIMIT_S: Final = 30.0
"""What is under way when the time is over has to end within this."""
_AGAIN_S: Final = 0.1
"""The rest of a connection after an error, so that a refusing gateway is not flooded."""
_PAUSE_S: Final = 0.05
_READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is asked of a gateway, and how often at a time."""

    body: bytes
    connections: int
    events: int | None = 0
    """How many an answer must bring; None = any number."""
    spread_s: float = 0.0
    """The connections start over this time: streams of different users do not tick together."""
    at_once: int = 1_000_000
    """So many may wait for their first byte."""


@dataclass(slots=True)
class Record:
    """What came back."""

    answers: int = 0
    events: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_ns: list[int] = field(default_factory=list)
    """From asking to the first byte, of every answer."""
    whole_ns: list[int] = field(default_factory=list)
    """From asking to the end, of whole answers."""
    transit_ns: list[int] = field(default_factory=list)
    """From the upstream's writing to our reading, of every event."""


class Driver:
    """The connections to one gateway, and the record of what they brought."""

    def __init__(self, gateway: Gateway, pattern: Pattern) -> None:
        self.record = Record()
        self.renews = True
        """Whether a connection asks again after an answer; else it is closed."""
        self._gateway = gateway
        self._pattern = pattern
        self._sent = gateway.request(pattern.body)
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._silent = 0
        now, count = time.monotonic(), pattern.connections
        self._starts = [now + pattern.spread_s * each / count for each in range(count)]

    @property
    def open(self) -> int:
        """Connections that are open or have yet to start."""
        return len(self._open) + len(self._starts)

    @property
    def is_opening(self) -> bool:
        """Whether a connection has yet to start, or waits for its first byte."""
        return bool(self._starts) or self._silent > 0

    def run(self, seconds: float) -> Record:
        """Ask for so long, then let end what is under way."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()
        self.finish(FINISH_LIMIT_S)
        return self.record

    def finish(self, limit_s: float) -> None:
        """Ask no more; what does not end within the limit is an error."""
        self.renews = False
        self._starts.clear()
        until = time.monotonic() + limit_s
        while self._open and time.monotonic() < until:
            self.step()
        for each in list(self._open.values()):
            self._fail(each, f"not over {limit_s:.0f} s after the end")

    def step(self) -> None:
        """Start who is due, then take what there is; soon over if there is nothing."""
        self._start_due()
        for fd, mask in self._poll.poll(_PAUSE_S if not self._starts else 0.001):
            connection = self._open[fd]
            if mask & select.EPOLLOUT:
                self._flush(connection)
            if mask & ~select.EPOLLOUT and fd in self._open:
                self._read(connection)

    def close(self) -> None:
        """Hang up everywhere."""
        for each in self._open.values():
            each.socket.close()
        self._open.clear()
        self._starts.clear()
        self._poll.close()

    def __enter__(self) -> Self:
        gc.disable()  # a collection would show as latency of the gateway
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
        gc.enable()

    def _start_due(self) -> None:
        while self._starts and self._starts[0] <= time.monotonic():
            if self._silent >= self._pattern.at_once:
                return
            heapq.heappop(self._starts)
            self._dial()

    def _dial(self) -> None:
        address = (self._gateway.host, self._gateway.port)
        try:
            connection = Connection(self._gateway.socket(), address)
        except OSError as error:
            self.record.errors[str(error)] += 1
            self._start_again()
            return
        self._open[connection.socket.fileno()] = connection
        self._silent += 1
        connection.asked_ns = time.monotonic_ns()
        connection.pending = self._sent
        self._poll.register(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _ask(self, connection: Connection) -> None:
        self._silent += 1
        try:
            if not connection.ask(self._sent):
                self._poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self._redial(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            if connection.flush():
                self._poll.modify(connection.socket, select.EPOLLIN)
        except OSError as error:
            self._fail(connection, str(error))

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(connection, str(error))
            return
        now = time.monotonic_ns()
        answer = connection.answer
        if not data:
            self._end(connection)
            return
        if not answer.first_ns:
            self._silent -= 1
            self.record.first_ns.append(now - connection.asked_ns)
        for written_ns in answer.feed(data, now):
            self.record.transit_ns.append(now - written_ns)
        if answer.is_whole:
            self._take(connection, now)

    def _take(self, connection: Connection, now: int) -> None:
        """An answer is whole: count it, and ask again."""
        answer, record = connection.answer, self.record
        expected = self._pattern.events
        if answer.status != 200:
            self._fail(connection, answer.refusal)
            return
        record.events += answer.events
        if expected is not None and answer.events != expected:
            self._fail(connection, f"{answer.events} of {expected} events", counted=True)
            return
        record.answers += 1
        record.whole_ns.append(now - connection.asked_ns)
        connection.is_used = True
        if not self.renews:
            self._hang_up(connection)
        elif answer.closes:
            self._redial(connection)
        else:
            self._ask(connection)

    def _end(self, connection: Connection) -> None:
        """The gateway has closed the connection."""
        answer = connection.answer
        if not answer.first_ns and connection.is_used:
            self._redial(connection)
        elif answer.is_whole_at_close:
            answer.closes = True
            self._take(connection, time.monotonic_ns())
        else:
            self._fail(connection, "cut" if answer.first_ns else "closed without an answer")

    def _redial(self, connection: Connection) -> None:
        self._hang_up(connection)
        heapq.heappush(self._starts, time.monotonic())

    def _fail(self, connection: Connection, reason: str, *, counted: bool = False) -> None:
        if not counted:
            self.record.events += connection.answer.events
        self.record.errors[reason] += 1
        self._hang_up(connection)
        self._start_again()

    def _start_again(self) -> None:
        if self.renews:
            heapq.heappush(self._starts, time.monotonic() + _AGAIN_S)

    def _hang_up(self, connection: Connection) -> None:
        del self._open[connection.socket.fileno()]
        connection.socket.close()  # epoll forgets it by itself
        if not connection.answer.first_ns:
            self._silent -= 1
