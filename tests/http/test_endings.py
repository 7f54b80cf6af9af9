"""Ends that a client must be able to tell apart (behaviour 4.8 and 13.2), in their rarer forms."""

import gzip
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, streams
from tests.scripted.client import STREAM_MSG, Connection, Cut
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

BEGUN = messages.beginning()
REST = messages.text_stream()[len(BEGUN) :]
WHOLE = b"".join([*BEGUN, *REST])
CLAUDE_CODE = "claude-cli/2.1.330"


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    hold = threading.Event()
    yield hold
    hold.set()


def _draining(upstream: Upstream, drain_ms: int) -> dict[str, Any]:
    return config(provider("p", upstream, "k1"), server={"drain_ms": drain_ms})


@pytest.mark.parametrize("whole_group", [False, True])
def test_ctrl_c_lets_what_runs_finish_like_a_term(
    plain_upstream: Upstream,
    hold: threading.Event,
    tmp_path_factory: pytest.TempPathFactory,
    whole_group: bool,  # noqa: FBT001  pytest passes by name
) -> None:
    with Relay(tmp_path_factory.mktemp("ctrl-c"), _draining(plain_upstream, 3000)) as relay:
        plain_upstream.says(streams(*BEGUN, hold, *REST))
        stream = relay.post(STREAM_MSG, {"X-Request-ID": "interrupted"})
        stream.take(len(b"".join(BEGUN)))
        if whole_group:
            os.killpg(relay.pid, signal.SIGINT)  # as a terminal does
        else:
            os.kill(relay.pid, signal.SIGINT)
        until("draining", lambda: "draining" in relay.output())
        threading.Timer(1.0, hold.set).start()
        assert stream.content == WHOLE
        assert relay.record_of("interrupted")["outcome"] == "complete"


def test_a_longer_drain_after_a_reload_is_not_cut_by_the_server(
    plain_upstream: Upstream, hold: threading.Event, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Relay(tmp_path_factory.mktemp("longer"), _draining(plain_upstream, 0)) as relay:
        relay.reload(_draining(plain_upstream, 20_000))
        # As `server.drain_ms` was, gunicorn would kill after 5 s.
        plain_upstream.says(streams(*BEGUN, hold, *REST))
        stream = relay.post(STREAM_MSG)
        stream.take(len(b"".join(BEGUN)))
        relay.terminate()
        threading.Timer(6.0, hold.set).start()
        assert stream.content == WHOLE


def test_an_upstream_silent_for_longer_than_its_limit_is_given_up_at_once(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    server = {"timeout_ms": 1000}
    relay = start_relay(config(provider("p", plain_upstream, "k1"), server=server), workers=1)
    plain_upstream.says(streams(*BEGUN, 5.0, *REST))
    answer = relay.post(STREAM_MSG, {"User-Agent": CLAUDE_CODE})
    asked_at = time.monotonic()
    assert answer.is_cut()
    assert 0.8 < time.monotonic() - asked_at < 1.6


def _read_on(client: Connection) -> None:
    while True:
        client.some(65536)


def test_a_cut_is_no_clean_end_for_a_client_of_http_1_0(
    plain: Relay, plain_upstream: Upstream
) -> None:
    # Its body ends with the connection, so only a reset tells a cut from the end.
    plain_upstream.says(streams(*BEGUN, 0.3, ends="close"))
    client = plain.connect()
    client.send(
        b"POST /v1/messages HTTP/1.0\r\nUser-Agent: %s\r\nContent-Length: %d\r\n\r\n"
        % (CLAUDE_CODE.encode(), len(STREAM_MSG))
        + STREAM_MSG
    )
    assert client.response().status == 200
    with pytest.raises(Cut, match="reset"):
        _read_on(client)


def test_a_compressed_stream_is_whole_though_its_trailer_comes_late(
    plain: Relay, plain_upstream: Upstream
) -> None:
    at_once = streams(gzip=True)
    *steps, trailer = at_once.steps
    plain_upstream.says(
        Answer(200, at_once.headers, (*steps, 0.2, trailer), "chunked", (), "clean")
    )
    answer = plain.post(STREAM_MSG, {"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.content) == WHOLE
