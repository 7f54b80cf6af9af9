"""What only the pump has to get right: pauses, slow readers, and whose descriptor it watches."""

from collections.abc import Callable

import gevent
import pytest

from relay.clock import SystemClock
from relay.messages.events import PING
from relay.stream.body import Ending
from relay.stream.disconnect import ClientWatch
from relay.upstream.client import Client
from tests.stream.test_both_ways import (
    BEGUN,
    CHUNKED,
    EVENTS,
    REST,
    WHOLE,
    Relayed,
    Script,
    Step,
    chunked,
    connected,
    frame,
    relay,
    serve,
    upstream,
)

__all__ = ["upstream"]

LAST = b"0\r\n\r\n"
DELTA = next(event for event in EVENTS if b"content_block_delta" in event)


def test_a_pause_brings_pings_and_then_the_rest(upstream: Callable[[Script], str]) -> None:
    url = upstream([*chunked(BEGUN, 0.01, REST[0], 0.9, b"".join(REST[1:])), LAST])

    relayed = relay(url, pumped=True, ping_interval_s=0.4)

    assert relayed.content.count(PING) == 2
    assert relayed.content.replace(PING, b"") == WHOLE
    assert relayed.ending is Ending.COMPLETE


def test_an_upstream_that_falls_silent_is_given_up_within_its_limit(
    upstream: Callable[[Script], str],
) -> None:
    url = upstream(chunked(BEGUN, 0.01, DELTA, 5.0))

    with gevent.Timeout(1.6):
        relayed = relay(url, pumped=True, idle_s=0.6)

    assert relayed.cut
    assert relayed.ending is Ending.SILENT


def test_the_connection_serves_the_next_stream_undisturbed(
    upstream: Callable[[Script], str],
) -> None:
    url = upstream([*chunked(BEGUN, 0.01, *REST), LAST])
    client = Client()

    relayed = [relay(url, pumped=True, client=client) for _ in range(5)]

    assert [each.content for each in relayed] == [WHOLE] * 5
    assert repr(client).count(": 1)") == 1  # one idle connection, the only one there was
    client.close()


def test_a_client_that_reads_slowly_gets_every_byte_in_order(
    upstream: Callable[[Script], str],
) -> None:
    pad = b"".join(b": %07d\n" % n for n in range(6000))
    long = b"event: x\ndata: {}\n" + pad + b"\n"
    url = upstream([*chunked(BEGUN, 0.01, *[long] * 100, *REST), LAST])
    served, reader = connected()
    client = Client()
    sending = gevent.spawn(serve, client, url, served, pumped=True)
    out = b""
    with gevent.Timeout(20), reader:
        while data := reader.recv(200_000):
            out += data
            gevent.sleep(0.002)

    cut, ending, usage = sending.get(timeout=1)

    assert (cut, ending) == (False, Ending.COMPLETE)
    assert Relayed(out, cut, ending, usage).content.count(long) == 100
    client.close()


@pytest.mark.parametrize("reads", [True, False], ids=["leaves", "reads nothing"])
def test_a_client_that_leaves_or_reads_nothing_ends_the_stream(
    upstream: Callable[[Script], str], *, reads: bool
) -> None:
    much: list[Step] = [frame(DELTA * 200), 0.001]
    endless = [CHUNKED, frame(BEGUN), 0.01, *much * 3000]
    url = upstream(endless)
    served, reader = connected()
    client, watch = Client(), ClientWatch(SystemClock())
    sending = gevent.spawn(serve, client, url, served, pumped=True, watched=watch)
    gevent.sleep(0.1)
    if reads:
        reader.recv(1000)
        reader.close()

    cut, ending, _ = sending.get(timeout=5)

    assert cut
    assert ending is Ending.CLIENT_LEFT
    assert watch.watching == 0
    reader.close()
    client.close()


def test_a_client_that_leaves_a_quiet_stream_is_noticed(
    upstream: Callable[[Script], str],
) -> None:
    url = upstream(chunked(BEGUN, 0.01, DELTA, 30.0))
    served, reader = connected()
    client, watch = Client(), ClientWatch(SystemClock())
    sending = gevent.spawn(serve, client, url, served, pumped=True, watched=watch)
    gevent.sleep(0.1)
    reader.close()

    cut, ending, _ = sending.get(timeout=1)

    assert (cut, ending) == (True, Ending.CLIENT_LEFT)
    client.close()
