"""A client that leaves, under every server: gunicorn shows its socket, the others do not."""

import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from tests.scripted import messages
from tests.scripted.answers import streams
from tests.scripted.client import STREAM_MSG, Connection, Response
from tests.scripted.config import config, provider
from tests.scripted.servers import (
    FLASK,
    GUNICORN,
    GUNICORN_TLS,
    PYWSGI,
    Kind,
    Served,
    named,
    side_by_side,
)
from tests.scripted.upstream import Upstream

KINDS = (GUNICORN, GUNICORN_TLS, PYWSGI, FLASK)
PING_S = 1.0
BEGUN = messages.beginning()

Servers = Mapping[Kind, Served]


@pytest.fixture(scope="module")
def servers(
    plain_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """All of them, side by side."""
    server = {"ping_interval_ms": int(PING_S * 1000)}
    settings = config(provider("p", plain_upstream, "k1"), server=server)
    with side_by_side(KINDS, tmp_path_factory.mktemp("served"), settings) as started:
        yield started


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


def asked(connection: Connection) -> Response:
    return connection.ask("POST", "/v1/messages", STREAM_MSG)


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_a_speaking_stream_ends_with_its_client(
    servers: Servers, plain_upstream: Upstream, kind: Kind
) -> None:
    plain_upstream.says(streams(*messages.beginning(*"abcdefghijklmnopqrstuvwxyz"), pause_s=0.1))
    with servers[kind].connect() as connection:
        asked(connection).take(1)
        left_at = time.monotonic()

    request = plain_upstream.only()
    assert request.closed.wait(2)
    assert (request.closed_at or 0) - left_at < 1
    assert not request.answered.is_set()


@pytest.mark.parametrize("begun", [BEGUN, []], ids=["stream", "nothing yet"])
@pytest.mark.parametrize("kind", [GUNICORN, GUNICORN_TLS], ids=named)
def test_a_silent_call_ends_with_its_client_under_gunicorn(
    servers: Servers,
    plain_upstream: Upstream,
    hold: threading.Event,
    kind: Kind,
    begun: list[bytes],
) -> None:
    plain_upstream.says(streams(*begun, hold))
    with servers[kind].connect() as connection:
        connection.begin("POST", "/v1/messages", STREAM_MSG)
        request = plain_upstream.wait_for(1)[0]
        if begun:
            connection.response().take(1)
        left_at = time.monotonic()

    assert request.closed.wait(2)
    assert (request.closed_at or 0) - left_at < 1


def test_a_silent_stream_ends_with_its_client_at_the_second_ping_elsewhere(
    servers: Servers, plain_upstream: Upstream, hold: threading.Event
) -> None:
    """Other servers show no socket to look at: only a write tells, and not the first one."""
    plain_upstream.answers_with(streams(*BEGUN, hold))
    for kind in (PYWSGI, FLASK):
        with servers[kind].connect() as connection:
            asked(connection).take(1)
    left_at = time.monotonic()

    for request in plain_upstream.wait_for(2):
        assert request.closed.wait(5)
        assert (request.closed_at or 0) - left_at < 2 * PING_S + 0.5
