"""The pump under pressure: slow readers cost no memory, and nothing stays behind in the loop."""

import resource
import socket as blocking
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import gevent
import pytest
from gevent.event import Event

from relay.stream.body import Ending
from relay.stream.pump import outlet
from relay.upstream.client import Client
from tests.scripted import messages
from tests.stream.conftest import Start
from tests.stream.exchanging import CHUNKED, LAST, Exchange, plays, unframed
from tests.stream.test_both_ways import BEGUN, REST, WHOLE, connected, frame
from tests.upstream.scripted import Peer, Script

DELTA = messages.text_block(0, "x" * 1000)[1]


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def endless(gone: Event) -> Script:
    """Events without a pause, until the peer is gone."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED, frame(BEGUN), pause_s=0.02)
        burst = frame(DELTA * 30)
        try:
            while True:
                peer.send(burst)
        finally:
            gone.set()

    return script


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def watchers() -> int:
    """What keeps the loop of this thread going now."""
    gevent.sleep(0)
    return int(gevent.get_hub().loop.activecnt)


def test_short_writes_lose_and_reorder_nothing(server: Start, client: Client) -> None:
    numbered = [messages.event("ping", n=n, pad="x" * (n % 997)) for n in range(3000)]
    bursts = [b"".join(numbered[n : n + 50]) for n in range(0, 3000, 50)]
    upstream = server(plays(CHUNKED, frame(BEGUN), 0.02, *map(frame, [*bursts, *REST]), LAST))
    exchange = Exchange(client, upstream.url(), pumped=True, buffer_bytes=32768)
    came: list[bytes] = []

    with gevent.Timeout(10), exchange.reader:
        while data := exchange.reader.recv(7000):
            came.append(data)
            gevent.sleep(0)

    assert unframed(b"".join(came)) == BEGUN + b"".join(numbered) + b"".join(REST)
    exchange.greenlet.get(timeout=1)
    assert exchange.endings == [Ending.COMPLETE]


def test_fifty_clients_at_a_kilobyte_a_second_do_not_fill_the_memory(
    server: Start, client: Client
) -> None:
    upstream = server(endless(Event()))
    before = resident_bytes()
    exchanges = [  # the kernel of a slow reader tells of a window seldom: the limit has to be long
        Exchange(client, upstream.url(), pumped=True, write_timeout_s=30) for _ in range(50)
    ]
    for _ in range(15):  # three seconds; a stream that is not held back brings gigabytes
        gevent.sleep(0.2)
        for exchange in exchanges:
            assert exchange.reader.recv(200)

    grown = resident_bytes() - before

    assert not any(exchange.greenlet.ready() for exchange in exchanges)
    assert grown < 50 * (400 << 10)
    for exchange in exchanges:
        exchange.reader.close()
    gevent.joinall([exchange.greenlet for exchange in exchanges], timeout=5, raise_error=True)
    assert [exchange.endings for exchange in exchanges] == [[Ending.CLIENT_LEFT]] * 50


@pytest.mark.parametrize("stays", [True, False], ids=["reads nothing", "leaves"])
def test_the_upstream_of_a_client_that_is_gone_is_closed(
    server: Start, client: Client, *, stays: bool
) -> None:
    gone = Event()
    upstream = server(endless(gone))
    exchange = Exchange(client, upstream.url(), pumped=True, buffer_bytes=0 if stays else 4096)
    exchange.reader.recv(10)
    if not stays:
        exchange.reader.close()

    assert gone.wait(3)

    exchange.greenlet.get(timeout=1)
    assert exchange.endings == [Ending.CLIENT_LEFT]
    assert repr(client) == "Client(Transport(Pool()))"
    exchange.reader.close()


def test_a_client_that_reads_nothing_is_not_dropped_before_its_time(
    server: Start, client: Client
) -> None:
    upstream = server(endless(Event()))
    exchange = Exchange(client, upstream.url(), pumped=True)

    gevent.sleep(0.4)

    assert not exchange.greenlet.ready()
    exchange.greenlet.join(timeout=2)  # 0.5 s are its time
    assert exchange.endings == [Ending.CLIENT_LEFT]
    exchange.reader.close()


@pytest.mark.parametrize("ends", ["whole", "open", "cut", "client", "drained"])
def test_nothing_stays_behind_in_the_loop(server: Start, client: Client, ends: str) -> None:
    tail = {"whole": [*map(frame, REST), LAST], "open": [*map(frame, REST)]}.get(ends, [])
    steps: list[bytes | float] = [CHUNKED, frame(BEGUN), 0.02, frame(DELTA), 0.1, *tail]
    last: dict[str, Literal["reset", "close"]] = {
        "cut": "reset",
        "client": "close",
        "drained": "close",
    }
    upstream = server(plays(*steps, 0.2, ends=last.get(ends, "open")))
    Exchange(client, upstream.url(), pumped=True).result()  # what is made once is made
    gevent.sleep(0.4)
    before = watchers()

    exchange = Exchange(client, upstream.url(), pumped=True)
    gevent.sleep(0.08)
    during = watchers()
    if ends == "client":
        exchange.reader.close()
        exchange.greenlet.get(timeout=2)
    else:
        if ends == "drained":
            exchange.watch.drain()
        exchange.result()
    gevent.sleep(0.4)  # the upstream has ended too, and the watch over clients

    assert during > before
    assert watchers() <= before


def test_a_connection_that_was_given_back_is_not_read_by_the_stream_before(
    server: Start, client: Client
) -> None:
    answer = [CHUNKED, frame(BEGUN), 0.02, *(s for e in REST for s in (frame(e), 0.002)), LAST]
    upstream = server(plays(*answer))
    quick = [Exchange(client, upstream.url(), pumped=True) for _ in range(3)]
    came = [exchange.result() for exchange in quick]

    for _ in range(4):  # many streams over the same few connections, one right after the other
        quick = [Exchange(client, upstream.url(), pumped=True) for _ in range(3)]
        came += [exchange.result() for exchange in quick]

    assert came == [(WHOLE, False, Ending.COMPLETE)] * 15
    assert upstream.connections == 3


def test_only_a_plain_http_1_1_connection_has_an_outlet() -> None:
    served, reader = connected()
    whole = {
        "gunicorn.socket": served,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "POST",
    }
    changed: list[dict[str, object]] = [
        {"gunicorn.socket": None},
        {"gunicorn.socket": blocking.socket},  # as any object that is no gevent socket
        {"SERVER_PROTOCOL": "HTTP/1.0"},
        {"SERVER_PROTOCOL": "HTTP/2"},
        {"REQUEST_METHOD": "HEAD"},
    ]

    with served, reader:
        assert outlet(whole) is not None
        assert [outlet(whole | change) for change in changed] == [None] * len(changed)
        del whole["gunicorn.socket"]
        assert outlet(whole) is None
