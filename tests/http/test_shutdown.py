"""SIGTERM: nobody new, what runs may finish, what cannot is ended visibly (behaviour 13.2)."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.scripted import messages
from tests.scripted.answers import says_message, streams
from tests.scripted.client import MSG, STREAM_MSG, Connection
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

BEGUN = messages.beginning()
REST = messages.text_stream()[len(BEGUN) :]


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


@pytest.fixture
def relay(plain_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay that a test may end."""
    settings = config(provider("p", plain_upstream, "k1"), server={"drain_ms": 1500})
    with Relay(tmp_path_factory.mktemp("drain"), settings) as relay:
        yield relay


def _refuses(relay: Relay) -> bool:
    try:
        Connection(relay.port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_runs_may_finish(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    plain_upstream.says(streams(*BEGUN, hold, *REST))
    stream = relay.post(STREAM_MSG)
    assert stream.take(len(b"".join(BEGUN)))
    call = relay.connect()
    plain_upstream.says(says_message(before=(hold,)))
    call.begin("POST", "/v1/messages", MSG)
    plain_upstream.wait_for(2)
    told_at = time.monotonic()
    relay.terminate()
    until("new connections are refused", lambda: _refuses(relay), 1)
    hold.set()
    assert stream.content == b"".join(messages.text_stream())
    assert call.response().json() == messages.message()
    relay.hang_up()
    assert relay.wait(10) == 0
    assert time.monotonic() - told_at < 5


def test_what_does_not_finish_is_ended_as_a_broken_stream(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    plain_upstream.answers_with(streams(*BEGUN, hold))
    answers = {
        name: relay.post(STREAM_MSG, {"User-Agent": name, "X-Request-ID": f"drained-{number}"})
        for number, name in enumerate(("claude-cli/2.1.330", "others/1"))
    }
    for answer in answers.values():
        assert answer.take(len(b"".join(BEGUN)))
    plain_upstream.answers_with(says_message(before=(hold,)))
    waiting = relay.connect()
    waiting.begin("POST", "/v1/messages", MSG)
    plain_upstream.wait_for(3)
    told_at = time.monotonic()
    relay.terminate()
    for name, answer in answers.items():
        assert answer.is_cut(), name
    assert 1.0 < time.monotonic() - told_at < 4
    cut, told = (answer.so_far for answer in answers.values())
    assert cut == b"".join(BEGUN)
    *_, (name, error) = messages.events(told)
    assert (name, error["error"]["type"]) == ("error", "overloaded_error")
    refused = waiting.response()
    assert refused.status == 503
    assert refused.error()[0] == "overloaded_error"
    relay.hang_up()
    assert relay.wait(10) == 0
    for request in plain_upstream.requests:
        assert request.closed.wait(1)
    assert relay.record_of("drained-1")["input_tokens"] == messages.USAGE["input_tokens"]


def test_a_draining_relay_is_not_ready(
    relay: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    worker = relay.workers[0]
    asking = relay.connect(worker)
    assert asking.ask("GET", "/health/ready").status == 200
    plain_upstream.says(streams(*BEGUN, hold, *REST))
    running = relay.connect(worker)
    running.begin("POST", "/v1/messages", STREAM_MSG)
    assert running.response().take(1)
    asking.send(b"GET /health/ready HTTP/1.1\r\nHost: r\r\n")  # in progress when the signal comes
    relay.terminate()
    until("new connections are refused", lambda: _refuses(relay), 1)
    until("draining", lambda: "draining" in relay.output(), 2)
    asking.send(b"\r\n")
    assert asking.response().status == 503
    hold.set()


def test_an_idle_relay_ends_at_once(relay: Relay) -> None:
    idle = relay.connect()
    assert idle.ask("GET", "/health").content
    told_at = time.monotonic()
    relay.terminate()
    assert relay.wait(10) == 0
    assert time.monotonic() - told_at < 3
