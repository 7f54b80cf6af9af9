"""Which idle connection is taken, and when one is closed."""

from collections.abc import Callable, Iterator

import gevent
import pytest

from relay.upstream import pool as pooling
from relay.upstream.client import Client
from relay.upstream.transport import Transport
from relay.wire import UpstreamRequest
from tests.upstream.conftest import open_sockets, whole
from tests.upstream.scripted import OK, Peer, Server, a_request, repeats, says

Start = Callable[..., Server]


class SetClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def transport(clock: SetClock) -> Iterator[Transport]:
    made = Transport(clock=clock)
    yield made
    made.close()


def fetch(transport: Transport, request: UpstreamRequest) -> bytes:
    call = transport.begin(request)
    response = call.head()
    assert response is not None
    body = b""
    while chunk := response.read1():
        body += chunk
    call.close()
    return body


def test_connection_is_used_again_and_shown(server: Start, client: Client) -> None:
    upstream = server(repeats())

    for _ in range(5):
        whole(client, a_request(upstream.url()))

    assert upstream.connections == 1
    assert repr(client) == f"Client(Transport(Pool(127.0.0.1:{upstream.port}: 1)))"


def test_last_used_connection_is_taken_first(server: Start, client: Client) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            gevent.sleep(0.02)
            peer.send(OK)

    upstream = server(script)
    gevent.joinall(
        [gevent.spawn(whole, client, a_request(upstream.url("/a"))) for _ in range(3)],
        raise_error=True,
    )

    whole(client, a_request(upstream.url("/b")))
    whole(client, a_request(upstream.url("/c")))

    assert upstream.connections == 3
    assert upstream.requests[-1].port == upstream.requests[-2].port


def test_connection_idle_for_too_long_is_replaced(
    server: Start, transport: Transport, clock: SetClock
) -> None:
    upstream = server(repeats())
    fetch(transport, a_request(upstream.url()))

    clock.now += pooling.IDLE_S - 1
    fetch(transport, a_request(upstream.url()))
    assert upstream.connections == 1

    clock.now += pooling.IDLE_S
    fetch(transport, a_request(upstream.url()))
    assert upstream.connections == 2


def test_sweep_closes_what_has_expired_or_was_closed_and_keeps_the_rest(
    server: Start, clock: SetClock
) -> None:
    shelf = pooling.Shelf(pooling.IDLE_S, clock)
    fresh, closing, old = (
        server(repeats()),
        server(says(OK)),
        server(repeats()),
    )
    pool = pooling.Pool(max_idle=9, clock=clock)
    for upstream, age_s in ((old, 60), (closing, 0), (fresh, 0)):
        transport = Transport(clock=clock)
        fetch(transport, a_request(upstream.url()))
        connection = transport._pool.take(next(iter(transport._pool._shelf().stacks)))  # noqa: SLF001  the only way to one
        if connection is not None:
            shelf.put(connection)
            connection.idle_since -= age_s
    gevent.sleep(0.02)

    shelf.sweep()

    assert [origin.port for origin in shelf.stacks] == [fresh.port]
    assert shelf.count == 1
    shelf.clear()
    pool.close()


def test_no_more_than_max_idle_are_kept(server: Start) -> None:
    upstream = server(repeats())
    client = Client(max_idle=2)
    calls = [client.begin(a_request(upstream.url())) for _ in range(5)]
    for call in calls:
        response = call.head()
        assert response is not None
        while response.read1():
            pass

    assert repr(client) == f"Client(Transport(Pool(127.0.0.1:{upstream.port}: 2)))"
    client.close()


def test_closed_client_finishes_what_runs_and_keeps_nothing(server: Start, client: Client) -> None:
    upstream = server(repeats())
    whole(client, a_request(upstream.url()))
    before = open_sockets()
    call = client.begin(a_request(upstream.url()))

    client.close()
    response = call.head()

    assert response is not None
    assert response.read1() == b"ok"
    assert len(open_sockets()) < len(before)
    assert repr(client) == "Client(Transport(Pool()))"


def test_origins_do_not_share_connections(server: Start, client: Client) -> None:
    one, two = server(repeats()), server(repeats())

    for upstream in (one, two, one, two):
        whole(client, a_request(upstream.url()))

    assert (one.connections, two.connections) == (1, 1)


def test_two_hundred_greenlets_at_once_each_get_their_own_answer(
    server: Start, client: Client
) -> None:
    def script(peer: Peer) -> None:
        while (received := peer.request()) is not None:
            gevent.sleep(0.01)
            body = received.body
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    upstream = server(script)

    def run(number: int) -> None:
        for turn in range(3):
            body = b"%d of %d" % (turn, number)
            assert whole(client, a_request(upstream.url(), body=body)) == (200, body)

    gevent.joinall([gevent.spawn(run, number) for number in range(200)], raise_error=True)

    assert len(upstream.requests) == 600
    assert upstream.connections <= 200
