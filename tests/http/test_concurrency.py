"""`server.max_concurrent` over both workers (A.5: 40, 41; behaviour 4.9)."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, says_message, streams
from tests.scripted.client import STREAM_MSG, Connection, Response
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    server = {"max_concurrent": 1, "api_key": "s"}
    return start_relay(config(provider("p", plain_upstream, "k1"), server=server))


KEY = {"x-api-key": "s"}


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    """Let go at the end, so that no exchange outlives its test."""
    hold = threading.Event()
    yield hold
    hold.set()


def _full(answer: Response) -> None:
    assert answer.status == 503
    assert answer.error()[0] == "overloaded_error"
    assert 1 <= int(answer.header("retry-after") or "0") <= 60


def _has_room(relay: Relay, worker: int | None = None) -> bool:
    answer = relay.connect(worker).ask("POST", "/v1/messages", b"{}", KEY)
    _ = answer.content
    return answer.status == 200


def _held(
    relay: Relay, upstream: Upstream, answer: Answer, worker: int | None = None
) -> Connection:
    """A connection whose exchange has the one place. The one before may be just ending."""

    def begin() -> Connection | None:
        upstream.forget()
        upstream.says(answer)
        connection = relay.connect(worker)
        connection.begin("POST", "/v1/messages", STREAM_MSG, KEY)
        until("admitted or not", lambda: upstream.requests or connection.is_answered())
        return connection if upstream.requests else None

    return until("a place", begin)


@pytest.mark.parametrize(("holder", "asker"), [(0, 0), (0, 1), (1, 0)])
def test_a_full_relay_says_so_at_once_in_every_worker(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event, holder: int, asker: int
) -> None:
    workers = relay.workers
    first = _held(relay, plain_upstream, says_message(before=(hold,)), workers[holder])
    second = relay.connect(workers[asker])
    asked_at = time.monotonic()
    _full(second.ask("POST", "/v1/messages", b"{}", KEY))
    assert time.monotonic() - asked_at < 0.5
    assert second.ask("GET", "/health").status == 200
    assert len(plain_upstream.requests) == 1
    hold.set()
    assert first.response().content
    until("room", lambda: _has_room(relay, workers[asker]), 1)


def test_a_stream_holds_its_place_to_its_last_byte(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    begun = messages.beginning()
    answer = streams(*begun, hold, *messages.text_stream()[len(begun) :])
    stream = _held(relay, plain_upstream, answer).response()
    assert stream.take(len(b"".join(begun)))
    _full(relay.post(headers=KEY))
    hold.set()
    assert stream.content
    until("room", lambda: _has_room(relay), 1)


def test_a_client_that_leaves_gives_its_place_back(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    _held(relay, plain_upstream, says_message(before=(hold,))).close()
    until("room", lambda: _has_room(relay), 2)


def test_strangers_take_nobodys_place(relay: Relay, plain_upstream: Upstream) -> None:
    strangers = [relay.connect() for _ in range(20)]
    for stranger in strangers:
        stranger.begin("POST", "/v1/messages", b"{}", {"x-api-key": "t"})
    for _ in range(20):
        until("room", lambda: _has_room(relay), 0.5)
    assert {stranger.response().status for stranger in strangers} == {401}
    assert len(plain_upstream.requests) == 20


def test_own_answers_need_no_place(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    _held(relay, plain_upstream, says_message(before=(hold,)))
    assert relay.get("/health").status == 200
    assert relay.ask("HEAD", "/").status == 200
    assert relay.get("/v1/models", KEY).status == 200


def test_the_place_of_a_killed_worker_comes_back(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    victim, survivor = relay.workers
    _held(relay, plain_upstream, says_message(before=(hold,)), victim)
    _full(relay.connect(survivor).ask("POST", "/v1/messages", b"{}", KEY))
    os.kill(victim, signal.SIGKILL)
    until("room", lambda: _has_room(relay, survivor), 5)
    until("a new worker", lambda: victim not in relay.workers and len(relay.workers) == 2, 5)
    newest = relay.workers[-1]
    assert relay.connect(newest).ask("GET", "/health").status == 200
