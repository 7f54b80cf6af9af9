"""A connection's wait, its end, and reading and writing without waiting, over a pair of sockets."""

import contextlib
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket

from relay.upstream.connection import Connection
from relay.upstream.target import Origin
from relay.upstream.tls import Tls

ORIGIN = Origin("http", "127.0.0.1", 80)

Pair = tuple[Connection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours, ORIGIN, tls=Tls())
    yield connection, theirs
    connection.close()
    theirs.close()


def active_watchers() -> int:
    count: int = gevent.get_hub().loop.activecnt
    return count


def waited_s(connection: Connection, limit_s: float) -> float:
    began = time.monotonic()
    connection.wait(limit_s)
    return time.monotonic() - began


def test_it_reads_and_writes_what_there_is_and_never_waits(pair: Pair) -> None:
    connection, theirs = pair

    assert connection.receive() is None
    theirs.send(b"to us")
    assert connection.receive() == b"to us"
    assert connection.send(memoryview(b"to them")) == len(b"to them")
    assert theirs.recv(99) == b"to them"
    while connection.send(memoryview(b"x" * 65536)):
        pass
    theirs.close()
    with pytest.raises(OSError, match="reset"):
        connection.receive()


def test_wait_ends_with_the_first_byte(pair: Pair) -> None:
    connection, theirs = pair
    gevent.spawn_later(0.03, theirs.send, b"a")

    assert 0.02 < waited_s(connection, 5) < 1
    assert connection.receive() == b"a"


def test_wait_ends_at_once_when_bytes_are_there_already(pair: Pair) -> None:
    connection, theirs = pair
    theirs.send(b"a")

    assert waited_s(connection, 5) < 1


def test_wait_ends_with_the_other_side(pair: Pair) -> None:
    connection, theirs = pair
    gevent.spawn_later(0.02, theirs.close)

    assert waited_s(connection, 5) < 1
    assert connection.receive() == b""


def test_wait_ends_in_time_and_neither_early(pair: Pair) -> None:
    connection, _ = pair

    assert 0.05 <= waited_s(connection, 0.05) < 0.5


@pytest.mark.parametrize("way", ["bytes", "time", "thrown out", "closed"])
def test_wait_leaves_nothing_in_the_event_loop(pair: Pair, way: str) -> None:
    connection, theirs = pair
    before = active_watchers()

    def run() -> None:
        with contextlib.suppress(ConnectionAbortedError):
            connection.wait(0.02 if way == "time" else 5)

    waiting = gevent.spawn(run)
    gevent.sleep(0.01)
    assert active_watchers() > before + 1

    if way == "bytes":
        theirs.send(b"a")
    elif way == "thrown out":
        waiting.kill(block=False)
    elif way == "closed":
        connection.close()
    waiting.join(1)

    assert waiting.dead
    assert active_watchers() == before


def test_byte_that_comes_after_a_wait_was_given_up_wakes_nobody(pair: Pair) -> None:
    connection, theirs = pair

    def run() -> str:
        try:
            connection.wait(5)
        except gevent.GreenletExit:
            gevent.sleep(0.05)  # a switch by mistake would end this early
            return "slept to the end"
        return "not thrown out"

    waiting = gevent.spawn(run)
    gevent.sleep(0.01)
    waiting.kill(block=False)
    gevent.sleep(0.01)
    theirs.send(b"a")

    began = time.monotonic()
    assert waiting.get(timeout=1) == "slept to the end"
    assert time.monotonic() - began > 0.02


def test_closing_wakes_who_waits_before_the_descriptor_is_free(pair: Pair) -> None:
    connection, _ = pair
    descriptors = []

    def run() -> None:
        try:
            connection.wait(5)
        except ConnectionAbortedError:
            descriptors.append(connection.fileno())

    waiting = gevent.spawn(run)
    gevent.sleep(0.01)
    connection.close()
    connection.close()
    waiting.join(1)

    assert len(descriptors) == 1
    assert descriptors[0] >= 0
    gevent.sleep(0)
    assert connection.fileno() == connection.raw_fileno == -1


def test_closed_connection_is_neither_quiet_nor_read(pair: Pair) -> None:
    connection, _ = pair
    assert connection.is_quiet()

    connection.close()

    assert not connection.is_quiet()
    with pytest.raises(OSError, match="Bad file descriptor"):
        connection.receive()
    with pytest.raises(OSError, match="Bad file descriptor"):
        connection.send(memoryview(b"a"))


def test_connection_with_bytes_on_it_is_not_quiet(pair: Pair) -> None:
    connection, theirs = pair
    assert connection.is_quiet()

    theirs.send(b"a")

    assert not connection.is_quiet()


def test_connection_that_the_other_side_has_closed_is_not_quiet(pair: Pair) -> None:
    connection, theirs = pair
    assert connection.is_quiet()

    theirs.close()

    assert not connection.is_quiet()
