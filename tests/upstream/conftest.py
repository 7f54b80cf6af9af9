"""Servers, clients, and a check after every test that no socket is left."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from relay.upstream.call import Call, Response
from relay.upstream.client import Client
from relay.wire import UpstreamRequest
from tests.upstream.scripted import Script, Server


def open_sockets() -> set[str]:
    """The sockets of this process, by inode."""
    links = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.add(str(entry.readlink()))
        except OSError:  # the descriptor of this very listing
            continue
    return {link for link in links if link.startswith("socket:")}


@pytest.fixture(autouse=True)
def _no_socket_left() -> Iterator[None]:
    gevent.get_hub()
    before = open_sockets()
    yield
    gevent.sleep(0)
    left = open_sockets() - before
    if left:
        gc.collect()
    assert not left, f"{len(left)} sockets left open"


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Starts servers: `server(script, certificate="good")`."""
    started: list[Server] = []

    def start(script: Script, certificate: str = "", host: str = "127.0.0.1") -> Server:
        started.append(Server(script, certificate, host))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def client() -> Iterator[Client]:
    """A client without proxy and extra certificates."""
    made = Client()
    yield made
    made.close()


@pytest.fixture
def fetch(client: Client) -> Callable[[UpstreamRequest], tuple[int, bytes]]:
    """One whole exchange: status and body."""

    def run(request: UpstreamRequest) -> tuple[int, bytes]:
        return whole(client, request)

    return run


def whole(client: Client, request: UpstreamRequest) -> tuple[int, bytes]:
    """Send a request and read its response to the end."""
    call = client.begin(request)
    try:
        response = answered(call)
        body = b""
        while chunk := response.read1():
            body += chunk
        return response.status, body
    finally:
        call.close()


def answered(call: Call) -> Response:
    """The response, waited for."""
    response = call.head()
    assert response is not None
    return response
