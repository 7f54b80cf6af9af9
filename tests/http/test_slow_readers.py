"""Many clients that read a kilobyte a second: their upstreams wait, and the worker stays small.

The streams are endless and as fast as the relay takes them. One crowd reads what the pump writes,
the other what the iterator yields, each from a server of its own and at the same time; the tests
judge what was measured meanwhile.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final, Self

import pytest

from tests.scripted import messages, processes
from tests.scripted.client import MSG, STREAM_MSG, head
from tests.scripted.config import config, provider
from tests.scripted.endless import BURST, Endless
from tests.scripted.servers import GUNICORN, GUNICORN_TLS, Kind, Served, encrypted
from tests.scripted.waiting import until

READ_BYTES: Final = 256
TURNS_A_SECOND: Final = 4
SECONDS: Final = 5
MOST_SECONDS: Final = 12
"""It goes on until the kernel's buffers are full: megabytes a stream, which take their time."""
STILL_LOOKS: Final = 3
"""So many looks, a second apart, tell whether the upstreams wait."""
HELD_BYTES: Final = 400 << 10
"""What the worker may hold for one client. It was found to be 100 to 200 KiB: a read of 64 KiB that
the client has not taken, parsed and framed, two greenlets, and TLS."""
AT_ONCE_S: Final = 1.0
"""An ordinary answer takes milliseconds; beside it two workers pour with all they have."""
ASK: Final = head("POST", "/v1/messages", STREAM_MSG) + STREAM_MSG

WAYS: Final[Mapping[str, tuple[Kind, int]]] = {
    "pump": (GUNICORN, 50),
    "iterator": (GUNICORN_TLS, 20),
}
"""Server and number of clients. There are fewer to the second because filling the kernel's buffers
is most of what this costs."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    grown: int
    """Resident bytes of the worker, more than before the crowd came."""
    written: int
    """Bytes the upstream could write, all streams together."""
    other_waited_s: float
    """How long one more client waited for an ordinary answer."""


@dataclass(slots=True)
class Crowd:
    """The clients of one server."""

    served: Served
    upstream: Endless
    size: int
    looks: list[Look] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    """Bytes, a client each."""
    _clients: list[socket.socket] = field(default_factory=list)
    _before: int = 0

    def __enter__(self) -> Self:
        """All of them ask, after the worker has loaded what a first request loads."""
        for _ in range(5):
            self.ask_for_something_else()
        self._before = processes.resident_bytes(self.served.worker)
        for _ in range(self.size):
            self._clients.append(self.connected())
            self.read.append(0)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def take_a_turn(self) -> None:
        """Read a little from each stream."""
        for number, client in enumerate(self._clients):
            with suppress(BlockingIOError, ssl.SSLWantReadError):
                data = client.recv(READ_BYTES)
                assert data, f"stream {number} has ended"
                self.read[number] += len(data)

    def look(self) -> None:
        """Measure."""
        grown = processes.resident_bytes(self.served.worker) - self._before
        self.looks.append(Look(grown, self.upstream.written(), self.ask_for_something_else()))

    @property
    def is_still(self) -> bool:
        """The upstreams wrote in the last looks no more than the clients took, and a chunk each."""
        last = self.looks[-STILL_LOOKS:]
        taken = self.size * (STILL_LOOKS - 1) * TURNS_A_SECOND * READ_BYTES
        return last[-1].written - last[0].written <= taken + self.size * len(BURST)

    def connected(self, receive_buffer_bytes: int = 16384) -> socket.socket:
        """A client that has asked for its stream; its buffer has room for one record of TLS."""
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        plain.settimeout(5)
        plain.connect(("127.0.0.1", self.served.port))
        client = encrypted(plain) if self.served.kind.encrypts else plain
        client.sendall(ASK)
        client.settimeout(0)
        return client

    def ask_for_something_else(self) -> float:
        """An ordinary answer on a connection of its own; how long it took."""
        began = time.monotonic()
        with self.served.connect() as connection:
            answer = connection.ask("POST", "/v1/messages", MSG)
            assert answer.json() == messages.message()
        return time.monotonic() - began


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Crowd]]:
    """Every crowd, after it has read for a while; still connected."""
    with ExitStack() as stack:
        crowds: dict[str, Crowd] = {}
        for name, (kind, clients) in WAYS.items():
            upstream = stack.enter_context(Endless(clients))
            settings = config(provider("p", upstream.url, "k1"))
            served = Served(kind, tmp_path_factory.mktemp("slow"), settings)
            stack.callback(served.stop)
            crowds[name] = Crowd(served, upstream, clients)
        for crowd in crowds.values():
            stack.enter_context(crowd.served)
        for crowd in crowds.values():
            stack.enter_context(crowd)
        read_slowly(list(crowds.values()))
        yield crowds


def read_slowly(crowds: list[Crowd]) -> None:
    began = time.monotonic()
    for turn in range(1, MOST_SECONDS * TURNS_A_SECOND + 1):
        for crowd in crowds:
            crowd.take_a_turn()
            if turn % TURNS_A_SECOND == 0:
                crowd.look()
        if turn >= SECONDS * TURNS_A_SECOND and all(crowd.is_still for crowd in crowds):
            break
        time.sleep(max(0.0, began + turn / TURNS_A_SECOND - time.monotonic()))


@pytest.fixture(params=WAYS)
def crowd(request: pytest.FixtureRequest, crowds: Mapping[str, Crowd]) -> Crowd:
    return crowds[request.param]


def test_the_worker_holds_little_for_each(crowd: Crowd) -> None:
    assert max(look.grown for look in crowd.looks) < crowd.size * HELD_BYTES


def test_the_upstreams_wait_for_their_readers(crowd: Crowd) -> None:
    assert crowd.looks[-1].written > 0
    assert crowd.is_still


def test_the_worker_has_stopped_growing(crowd: Crowd) -> None:
    assert crowd.looks[-1].grown - crowd.looks[-STILL_LOOKS].grown < 1 << 20


def test_every_client_is_served_as_fast_as_it_reads(crowd: Crowd) -> None:
    assert len(crowd.read) == crowd.size
    assert min(crowd.read) > 0.5 * len(crowd.looks) * TURNS_A_SECOND * READ_BYTES


def test_one_more_client_is_answered_at_once(crowd: Crowd) -> None:
    assert max(look.other_waited_s for look in crowd.looks) < AT_ONCE_S


def test_a_client_that_reads_all_there_is_leaves_the_others_their_turn(crowd: Crowd) -> None:
    came: list[int] = []
    with ThreadPoolExecutor(1) as executor, crowd.connected(receive_buffer_bytes=1 << 20) as fast:
        drained = executor.submit(drain, fast, came)
        try:
            until("the stream flows", lambda: sum(came) > 10 << 20)
            before = sum(came)
            assert max(crowd.ask_for_something_else() for _ in range(5)) < AT_ONCE_S
            assert not drained.done()
            assert sum(came) > before
        finally:
            fast.shutdown(socket.SHUT_RDWR)


def drain(client: socket.socket, came: list[int]) -> None:
    client.settimeout(5)
    with suppress(OSError):
        while data := client.recv(1 << 20):
            came.append(len(data))
