"""300 streams at once: each client gets its own bytes, and nothing is left of any of them."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages, processes
from tests.scripted.answers import Answer, streams
from tests.scripted.client import Connection
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

STREAMS = 300
EVENTS = 6
A_FEW = 5


def _nonce_events(nonce: str) -> list[bytes]:
    return messages.text_stream(*(f"{nonce}-{number}" for number in range(EVENTS)))


def _answer(request: Recorded) -> Answer:
    nonce = request.fields()["metadata"]["nonce"]
    return streams(*_nonce_events(nonce), framing="close", pause_s=0.05)


def _body(nonce: str) -> bytes:
    fields = {"model": "claude-x", "stream": True, "metadata": {"nonce": nonce}}
    return json.dumps(fields).encode()


@pytest.fixture(scope="module")
def upstream(start_upstream: Callable[[], Upstream]) -> Upstream:
    return start_upstream()


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", upstream, "k1")))


def test_no_byte_of_one_stream_is_in_another(relay: Relay, upstream: Upstream) -> None:
    upstream.answers_with(_answer)
    nonces = [f"nonce{number:03d}x" for number in range(STREAMS)]
    barrier = threading.Barrier(STREAMS, timeout=20)

    def stream(nonce: str) -> bytes:
        with Connection(relay.port) as connection:
            barrier.wait()
            fields = {"X-Request-ID": nonce}
            answer = connection.ask("POST", "/v1/messages", _body(nonce), fields)
            assert answer.header("x-request-id") == nonce
            return answer.content

    stream_once = relay.post(_body("warm"))  # what a first request opens for good
    assert stream_once.content
    relay.hang_up()
    before = {pid: len(processes.descriptors(pid)) for pid in relay.workers}
    with ThreadPoolExecutor(STREAMS) as pool:
        bodies = list(pool.map(stream, nonces))
    for nonce, body in zip(nonces, bodies, strict=True):
        assert body == b"".join(_nonce_events(nonce))
    assert len(upstream.requests) == STREAMS + 1
    assert {r.header("x-request-id") for r in upstream.requests} >= set(nonces)
    until(
        "descriptors as before",
        lambda: all(
            len(processes.descriptors(pid)) <= count + A_FEW for pid, count in before.items()
        ),
    )
    assert relay.workers == list(before), "a worker was lost"


def test_requests_on_one_connection_do_not_mix(relay: Relay, upstream: Upstream) -> None:
    upstream.answers_with(_answer)
    connection = relay.connect()
    for number in range(3):
        connection.begin("POST", "/v1/messages", _body(f"piped{number}"))
    for number in range(3):
        body = connection.response().content
        assert body == b"".join(_nonce_events(f"piped{number}"))
