"""From a name to a connection, or to a reason why not."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import cast

import gevent
import pytest
from gevent.resolver import AbstractResolver

from relay.errors import UpstreamUnreachable
from relay.upstream.client import Client
from relay.wire import Timeouts
from tests.upstream.conftest import whole
from tests.upstream.scripted import Server, a_request, repeats

Start = Callable[..., Server]
Answer = list[tuple[int, str]] | OSError


class Names:
    """A resolver of gevent's that knows what the test tells it, after a while."""

    def __init__(self) -> None:
        self.answer: Answer = []
        self.delay_s = 0.0
        self.asked: list[str] = []

    def getaddrinfo(  # noqa: PLR0917  gevent's signature
        self,
        host: str,
        port: int,
        family: int = 0,
        kind: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.asked.append(host)
        gevent.sleep(self.delay_s)
        if isinstance(self.answer, OSError):
            raise self.answer
        assert (family, proto, flags) == (0, 0, 0)
        return [(each, kind, 0, "", (address, port)) for each, address in self.answer]


@pytest.fixture
def names() -> Iterator[Names]:
    hub = gevent.get_hub()
    before = hub.resolver
    made = Names()
    hub.resolver = cast("AbstractResolver", made)  # one method is all that is asked
    yield made
    hub.resolver = before


def refused_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_name_is_resolved_and_sent_as_host(server: Start, client: Client, names: Names) -> None:
    upstream = server(repeats())
    names.answer = [(socket.AF_INET, "127.0.0.1")]

    whole(client, a_request(f"http://upstream.example:{upstream.port}/"))

    assert names.asked == ["upstream.example"]
    assert upstream.requests[0].headers[0] == ("Host", f"upstream.example:{upstream.port}")


def test_address_is_not_looked_up(server: Start, client: Client, names: Names) -> None:
    whole(client, a_request(server(repeats()).url()))

    assert names.asked == []


def test_next_address_is_tried_when_the_first_refuses(
    server: Start, client: Client, names: Names
) -> None:
    upstream = server(repeats())
    names.answer = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]

    status, _ = whole(client, a_request(f"http://upstream.example:{upstream.port}/"))

    assert status == 200
    assert upstream.connections == 1


def test_every_address_refusing_is_told(client: Client, names: Names) -> None:
    names.answer = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")]
    port = refused_port()

    with pytest.raises(UpstreamUnreachable, match=f"upstream.example:{port}: connection refused"):
        client.begin(a_request(f"http://upstream.example:{port}/"))


def test_unknown_name_is_told(client: Client, names: Names) -> None:
    names.answer = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(UpstreamUnreachable, match=r"gone\.example:443: name not resolved") as error:
        client.begin(a_request("https://gone.example/?secret"))

    assert not error.value.sent
    assert "secret" not in str(error.value)


def test_name_that_cannot_exist_is_told(client: Client) -> None:
    with pytest.raises(UpstreamUnreachable, match="name not resolved: malformed name"):
        client.begin(a_request(f"http://{'a' * 64}.example/"))


def test_slow_name_counts_as_connecting(client: Client, names: Names) -> None:
    names.delay_s = 5
    limits = Timeouts(connect_s=0.1, first_byte_s=5, idle_s=5)
    began = time.monotonic()

    with pytest.raises(UpstreamUnreachable, match=r"slow.example:80: no connection within 0\.1 s"):
        client.begin(a_request("http://slow.example/", timeouts=limits))

    assert time.monotonic() - began < 1


def test_timeout_of_the_caller_while_connecting_is_not_taken_for_our_own(
    client: Client, names: Names
) -> None:
    names.delay_s = 5

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        client.begin(a_request("http://slow.example/"))


def test_waiting_for_a_name_can_be_thrown_out_and_blocks_nobody_else(
    server: Start, client: Client, names: Names
) -> None:
    names.delay_s = 5
    waiting = gevent.spawn(client.begin, a_request("http://slow.example/"))
    gevent.sleep(0.01)

    assert whole(client, a_request(server(repeats()).url())) == (200, b"ok")
    waiting.kill(timeout=1)

    assert isinstance(waiting.value, gevent.GreenletExit)


def test_address_of_version_6_is_reached(server: Start, client: Client) -> None:
    upstream = server(repeats(), host="::1")

    whole(client, a_request(f"http://[::1]:{upstream.port}/"))

    assert upstream.requests[0].headers[0] == ("Host", f"[::1]:{upstream.port}")
