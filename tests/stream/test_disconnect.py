"""A client that left is noticed while the relay waits, and only then."""

import socket as plain_socket

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from relay.clock import SystemClock
from relay.errors import ClientLeft, Overloaded
from relay.stream.disconnect import POLL_S, Absent, ClientWatch, Presence
from relay.stream.drain import Draining
from tests.stream.conftest import Connection
from tests.stream.waiting import waits


def test_a_client_that_closes_is_noticed(presence: Presence, connection: Connection) -> None:
    waiter = waits(presence)
    gevent.sleep(0.05)

    connection.client.close()

    assert 0 < waiter.get(timeout=2) < 1


def test_a_client_that_resets_is_noticed(presence: Presence, connection: Connection) -> None:
    waiter = waits(presence)
    gevent.sleep(0.05)

    connection.reset()

    assert 0 < waiter.get(timeout=2) < 1


def test_a_client_that_left_requests_unread_is_noticed(
    presence: Presence, connection: Connection
) -> None:
    connection.client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
    waiter = waits(presence)
    gevent.sleep(0.05)

    connection.client.close()

    assert 0 < waiter.get(timeout=2) < 1


def test_a_client_that_had_left_before_the_wait_is_noticed(
    presence: Presence, connection: Connection
) -> None:
    connection.client.close()
    gevent.sleep(0.05)

    assert 0 <= waits(presence).get(timeout=2) < 1


def test_with_the_usual_interval_it_takes_less_than_half_a_second(connection: Connection) -> None:
    watch = ClientWatch(SystemClock())
    presence = watch.watch(connection.server, write_timeout_s=60)
    waiter = waits(presence)
    gevent.sleep(0)

    connection.client.close()

    assert waiter.get(timeout=2) < POLL_S + 0.25
    presence.stop()


def test_a_client_that_stays_is_left_alone(presence: Presence) -> None:
    assert waits(presence, seconds=0.2).get(timeout=2) == -1


def test_nothing_is_thrown_while_the_server_writes(
    presence: Presence, connection: Connection
) -> None:
    with presence.waiting():
        pass
    connection.client.close()

    gevent.sleep(0.2)  # the server's own wait: not armed

    assert waits(presence).get(timeout=2) < 1


def test_a_throw_that_comes_too_late_is_dropped(watch: ClientWatch, presence: Presence) -> None:
    arrived = Event()

    def wait_and_go_on() -> str:
        with presence.waiting():
            arrived.wait(5)
        gevent.sleep(0.05)  # the server writes now
        return "went on"

    waiter = gevent.spawn(wait_and_go_on)
    gevent.sleep(0)

    arrived.set()  # in the same turn of the loop, a moment before the throw
    watch.drain()

    assert waiter.get(timeout=2) == "went on"


def test_a_wait_inside_a_wait_stays_armed(presence: Presence, connection: Connection) -> None:
    def nested() -> str:
        try:
            with presence.waiting():
                with presence.waiting():
                    gevent.sleep(0)
                gevent.sleep(5)
        except ClientLeft:
            return "noticed"
        return "missed"

    waiter = gevent.spawn(nested)
    gevent.sleep(0.05)
    connection.client.close()

    assert waiter.get(timeout=2) == "noticed"


@pytest.mark.parametrize("caught", [OSError, Exception])
def test_no_library_takes_it_for_a_failure_of_its_own(
    presence: Presence, connection: Connection, caught: type[Exception]
) -> None:
    def reads_from_an_upstream() -> str:
        try:
            with presence.waiting():
                try:
                    gevent.sleep(5)
                except caught:
                    return "taken for an upstream that broke"
        except ClientLeft:
            return "noticed"
        return "missed"

    waiter = gevent.spawn(reads_from_an_upstream)
    gevent.sleep(0.05)
    connection.client.close()

    assert waiter.get(timeout=2) == "noticed"


def test_what_was_taken_is_given_back_on_the_way(
    presence: Presence, connection: Connection
) -> None:
    given_back = []

    def holds_something() -> None:
        with presence.waiting():
            try:
                gevent.sleep(5)
            except BaseException:
                given_back.append("the lease")
                raise

    waiter = gevent.spawn(holds_something)
    gevent.sleep(0.05)
    connection.client.close()

    with pytest.raises(ClientLeft):
        waiter.get(timeout=2)
    assert given_back == ["the lease"]


def test_a_stopped_watch_throws_no_more(presence: Presence, connection: Connection) -> None:
    waiter = waits(presence, seconds=0.2)
    gevent.sleep(0.05)

    presence.stop()
    presence.stop()
    connection.client.close()

    assert waiter.get(timeout=2) == -1


def test_a_throw_under_way_does_not_reach_a_stopped_watch(
    watch: ClientWatch, presence: Presence
) -> None:
    waiter = waits(presence, seconds=0.1)
    gevent.sleep(0)

    watch.drain()
    presence.stop()

    assert waiter.get(timeout=2) == -1


def test_the_poller_ends_with_its_last_client_and_begins_anew(
    watch: ClientWatch, connection: Connection
) -> None:
    watch.watch(connection.server, write_timeout_s=1).stop()
    gevent.sleep(0.1)
    assert watch.watching == 0

    presence = watch.watch(connection.server, write_timeout_s=1)
    waiter = waits(presence)
    gevent.sleep(0)
    connection.client.close()

    assert 0 < waiter.get(timeout=2) < 1
    presence.stop()


def test_draining_is_thrown_into_every_wait_and_into_those_to_come(
    watch: ClientWatch, presence: Presence
) -> None:
    def wait() -> str:
        try:
            with presence.waiting():
                gevent.sleep(5)
        except Draining as draining:
            return str(draining)
        return "missed"

    waiter = gevent.spawn(wait)
    gevent.sleep(0)

    watch.drain()

    assert waiter.get(timeout=2) == "this relay is shutting down"
    with pytest.raises(Overloaded), presence.waiting():
        pytest.fail("the wait began")


def test_draining_leaves_a_server_that_writes_alone(watch: ClientWatch, presence: Presence) -> None:
    written = Event()

    def write() -> str:
        with presence.waiting():
            pass
        written.wait(2)
        return "written"

    writer = gevent.spawn(write)
    gevent.sleep(0)
    watch.drain()
    gevent.sleep(0.05)
    written.set()

    assert writer.get(timeout=2) == "written"


def test_where_there_is_no_gevent_tcp_socket_nothing_is_watched(watch: ClientWatch) -> None:
    unix, other = socket.socketpair(socket.AF_UNIX)
    with unix, other, plain_socket.socket() as unpatched:
        for sock in (None, "a name", unix, unpatched):
            presence = watch.watch(sock, write_timeout_s=1)
            assert isinstance(presence, Absent)
            with presence.waiting():
                pass
            presence.stop()


def test_an_exception_inside_a_wait_disarms(presence: Presence, connection: Connection) -> None:
    def fails() -> None:
        with presence.waiting():
            raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="own"):
        fails()
    connection.client.close()
    gevent.sleep(0.2)  # would be thrown into this

    assert waits(presence).get(timeout=2) < 1
