"""A client that does not read is dropped, once a write of the server gets nowhere."""

import time

import gevent
import pytest

from relay.stream.disconnect import Presence
from tests.stream.conftest import Connection
from tests.stream.waiting import waits


def writes(connection: Connection) -> "gevent.Greenlet[[], float]":
    """A server that writes to a client; its value is after how long the write failed."""

    def write() -> float:
        began = time.monotonic()
        try:
            connection.server.sendall(bytes(4 << 20))
        except OSError:
            return time.monotonic() - began
        return -1

    return gevent.spawn(write)


@pytest.mark.usefixtures("presence")
def test_a_client_that_does_not_read_is_dropped_after_the_write_timeout(
    connection: Connection,
) -> None:
    assert 0.5 <= writes(connection).get(timeout=5) < 3


@pytest.mark.usefixtures("presence")
def test_a_client_that_reads_slowly_is_kept(connection: Connection) -> None:
    writer = writes(connection)
    taken = 0

    for _ in range(10):
        gevent.sleep(0.1)  # twice as long as the timeout in all
        taken += len(connection.client.recv(65_536))

    assert taken > 0
    assert not writer.ready()
    connection.client.close()
    writer.get(timeout=2)


@pytest.mark.usefixtures("presence")
def test_a_server_that_has_nothing_to_write_is_no_stall(connection: Connection) -> None:
    gevent.sleep(0.8)

    connection.client.sendall(b"still there")
    assert connection.server.recv(100) == b"still there"


def test_a_client_that_does_not_read_a_wait_long_is_kept(
    presence: Presence, connection: Connection
) -> None:
    writer = writes(connection)
    gevent.sleep(0.05)  # the buffers are full
    writer.kill()

    assert waits(presence, seconds=0.8).get(timeout=2) == -1  # the upstream is silent: no write
    gevent.sleep(0.1)  # a short write: the wait before it does not count
    assert waits(presence, seconds=0.1).get(timeout=2) == -1
