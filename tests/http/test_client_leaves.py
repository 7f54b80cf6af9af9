"""A client that leaves is followed by the upstream connection within a second (A.5: 48)."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages, processes
from tests.scripted.answers import Answer, says, says_message, streams
from tests.scripted.client import MSG, STREAM_MSG, Connection, head
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

BEGUN = messages.beginning()
TRIALS = 4


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


def _leave(connection: Connection, trial: int) -> float:
    """By FIN and by RST in turn; when."""
    left_at = time.monotonic()
    if trial % 2:
        connection.reset()
    else:
        connection.close()
    return left_at


def _situations(hold: threading.Event) -> dict[str, tuple[bytes, Answer, int]]:
    """What is asked, what the upstream does, and how many bytes the client waits for."""
    plain_text = {"Content-Type": "application/json"}
    return {
        "silent stream": (STREAM_MSG, streams(*BEGUN, hold), len(b"".join(BEGUN))),
        "silent inside an event": (STREAM_MSG, streams(*BEGUN, b"event: co", hold), 1),
        "stream before its headers": (STREAM_MSG, says_message(before=(hold,)), 0),
        "stream before its first event": (STREAM_MSG, streams(messages.PING[:5], hold), 0),
        "call before its headers": (MSG, says_message(before=(hold,)), 0),
        "call within its body": (MSG, says(200, plain_text, b"{", hold, b"}"), 0),
        "large answer within its body": (
            MSG,
            says(200, plain_text, b"x" * 2_000_000, hold, b"}"),
            2_000_000,
        ),
    }


@pytest.mark.parametrize("situation", _situations(threading.Event()))
def test_the_upstream_call_ends_within_a_second(
    plain: Relay, plain_upstream: Upstream, hold: threading.Event, situation: str
) -> None:
    body, answer, wait_for = _situations(hold)[situation]
    plain_upstream.answers_with(answer)
    for trial in range(TRIALS):
        plain_upstream.forget()
        plain_upstream.answers_with(answer)
        client = plain.connect()
        client.begin("POST", "/v1/messages", body)
        request = plain_upstream.wait_for(1)[0]
        if wait_for:
            assert len(client.response().take(wait_for)) >= wait_for
        assert request.closed_at is None
        left_at = _leave(client, trial)
        assert request.closed.wait(2), f"trial {trial}: never closed"
        assert request.closed_at is not None
        assert request.closed_at - left_at < 1


def test_a_speaking_stream_ends_with_its_client(plain: Relay, plain_upstream: Upstream) -> None:
    texts = messages.beginning(*"abcdefghijklmnopqrstuvwxyz")
    plain_upstream.says(streams(*texts, pause_s=0.1))
    client = plain.connect()
    client.begin("POST", "/v1/messages", STREAM_MSG)
    assert client.response().take(200)
    left_at = _leave(client, 0)
    request = plain_upstream.only()
    assert request.closed.wait(2)
    assert request.closed_at is not None
    assert request.closed_at - left_at < 1


def test_a_client_that_leaves_within_its_body_costs_no_upstream_call(
    plain: Relay, plain_upstream: Upstream
) -> None:
    client = plain.connect()
    client.send(head("POST", "/v1/messages", MSG) + MSG[:10])
    _leave(client, 0)
    assert plain.post().status == 200
    assert len(plain_upstream.requests) == 1


def test_a_client_that_leaves_is_logged_as_such(
    plain: Relay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    plain_upstream.says(streams(*BEGUN, hold))
    client = plain.connect()
    client.begin("POST", "/v1/messages", STREAM_MSG, {"X-Request-ID": "left-1"})
    assert client.response().take(1)
    _leave(client, 0)
    record = plain.record_of("left-1")
    assert record["level"] == "info"
    assert "left" in str(record["outcome"])
    assert record["input_tokens"] == messages.USAGE["input_tokens"]


def test_a_client_that_reads_nothing_holds_back_only_itself(
    plain: Relay, plain_upstream: Upstream
) -> None:
    worker = plain.workers[0]
    flood = messages.text_block(0, "x" * 200_000)[1]
    endless = streams(*messages.beginning(), *[flood] * 400)  # 80 MB
    before = processes.resident_bytes(worker)
    plain_upstream.says(endless)
    slow = plain.connect(worker)
    slow.begin("POST", "/v1/messages", STREAM_MSG)
    assert slow.response().take(1)
    assert plain.connect(worker).ask("POST", "/v1/messages", MSG).status == 200
    assert processes.resident_bytes(worker) - before < 40_000_000
    request = plain_upstream.requests[0]
    assert not request.answered.is_set()
    slow.close()
    assert request.closed.wait(2)


def test_a_client_that_takes_no_byte_is_dropped(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    server = {"write_timeout_ms": 1000}
    relay = start_relay(config(provider("p", plain_upstream, "k1"), server=server), workers=1)
    flood = messages.text_block(0, "x" * 200_000)[1]
    plain_upstream.says(streams(*messages.beginning(), *[flood] * 400))
    stuck = relay.connect()
    stuck.begin("POST", "/v1/messages", STREAM_MSG)
    request = plain_upstream.wait_for(1)[0]
    assert request.closed.wait(5)
    assert request.closed_at is not None
    assert request.closed_at - request.arrived_at > 0.9
    assert not request.answered.is_set()


def test_nothing_is_left_of_clients_that_left(
    start_relay: StartRelay, plain_upstream: Upstream, hold: threading.Event
) -> None:
    relay = start_relay(config(provider("p", plain_upstream, "k1")), workers=1)
    assert relay.post().status == 200  # what a first request opens for good
    relay.hang_up()
    (worker,) = relay.workers
    before = len(processes.descriptors(worker))
    plain_upstream.answers_with(streams(*BEGUN, hold))
    for _ in range(15):
        client = relay.connect()
        client.begin("POST", "/v1/messages", STREAM_MSG)
        assert client.response().take(1)
    assert len(processes.descriptors(worker)) > before + 15
    relay.hang_up()
    until("descriptors as before", lambda: len(processes.descriptors(worker)) <= before + 2)
