"""Server settings that a reload puts in force for the next request (behaviour 13.1, the table)."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says_message, says_nothing, streams
from tests.scripted.client import STREAM_MSG, head
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

BEGUN = messages.beginning()
REST = messages.text_stream()[len(BEGUN) :]
OTHERS = {"User-Agent": "others/1"}


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", plain_upstream, "k1")))


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


def _with(upstream: Upstream, **server: Any) -> dict[str, Any]:
    return config(provider("p", upstream, "k1"), server=server)


def test_how_many_exchanges_there_may_be(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    relay.reload(_with(plain_upstream, max_concurrent=1))
    plain_upstream.says(says_message(before=(hold,)))
    relay.connect().begin("POST", "/v1/messages", b"{}")
    plain_upstream.wait_for(1)
    for worker in relay.workers:
        assert relay.connect(worker).ask("POST", "/v1/messages", b"{}").status == 503
    relay.reload(_with(plain_upstream))
    assert relay.post().status == 200


def test_how_long_an_upstream_may_be_silent_before_its_headers(
    relay: Relay, plain_upstream: Upstream
) -> None:
    # `timeout_ms` is what providers inherit that say nothing themselves.
    relay.reload(_with(plain_upstream, timeout_ms=1000))
    plain_upstream.says(says_nothing("open"))
    asked_at = time.monotonic()
    answer = relay.post()
    assert time.monotonic() - asked_at > 0.9
    assert answer.status == 504
    assert answer.error()[0] == "timeout_error"


def test_how_long_an_upstream_may_be_silent_in_its_stream(
    relay: Relay, plain_upstream: Upstream
) -> None:
    relay.reload(_with(plain_upstream, timeout_ms=1000))
    plain_upstream.says(streams(*BEGUN, *REST, pause_s=0.25))  # 1.5 s in all
    assert relay.post(STREAM_MSG).content == b"".join(messages.text_stream())
    plain_upstream.says(streams(*BEGUN, 3.0, *REST))
    broken = relay.post(STREAM_MSG, OTHERS)
    assert broken.is_cut()
    *_, (name, data) = messages.events(broken.so_far)
    assert (name, data["error"]["type"]) == ("error", "timeout_error")


def test_how_long_a_body_may_take(relay: Relay, plain_upstream: Upstream) -> None:
    relay.reload(_with(plain_upstream, body_timeout_ms=1000))
    slow = relay.connect()
    slow.send(head("POST", "/v1/messages", None, {"Content-Length": "5"}))
    began_at = time.monotonic()
    assert slow.response().status == 408
    assert time.monotonic() - began_at < 5  # the default is 10 s


def test_after_how_much_silence_a_ping_comes(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    relay.reload(_with(plain_upstream, ping_interval_ms=1000))
    plain_upstream.says(streams(*BEGUN, hold, *REST))
    answer = relay.post(STREAM_MSG)
    begun = answer.take(len(b"".join(BEGUN)) + 1)
    assert messages.names(begun)[-1] == "ping"  # by default not before 15 s


def test_when_a_client_that_takes_nothing_is_dropped(
    relay: Relay, plain_upstream: Upstream
) -> None:
    relay.reload(_with(plain_upstream, write_timeout_ms=1000))
    flood = messages.text_block(0, "x" * 200_000)[1]
    plain_upstream.says(streams(*BEGUN, *[flood] * 400))
    stuck = relay.connect()
    stuck.begin("POST", "/v1/messages", STREAM_MSG)
    assert plain_upstream.wait_for(1)[0].closed.wait(10)  # by default not before 120 s


def test_how_long_the_drain_is(
    plain_upstream: Upstream, hold: threading.Event, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drain")
    with Relay(folder, _with(plain_upstream, drain_ms=20_000)) as relay:
        relay.reload(_with(plain_upstream, drain_ms=200))
        plain_upstream.says(streams(*BEGUN, hold))
        answer = relay.post(STREAM_MSG, OTHERS)
        answer.take(len(b"".join(BEGUN)))
        told_at = time.monotonic()
        relay.terminate()
        assert answer.is_cut()
        assert messages.names(answer.so_far)[-1] == "error"
        assert time.monotonic() - told_at < 5
