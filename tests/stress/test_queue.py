"""Waiting for a key instead of failing: a fair queue, bounded, that clients may leave (9.7).

Each request reserves nearly all input tokens of its key's minute and uses one of them. So one
exchange is served at a time, and the order in which they arrive upstream is that in which the queue
lets them go.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest

from tests.scripted.answers import Answer, says_json
from tests.scripted.client import Connection
from tests.scripted.config import config, provider
from tests.scripted.messages import message
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.stress.asking import Asked, ask, body
from tests.stress.conftest import StartRelay

QUEUE_MS: Final = 8000
QUEUE_SIZE: Final = 4
FIRST: Final = "first"
FIRST_S: Final = 1.2
"""While the others come and stand in the queue."""
OTHERS_S: Final = 0.1
TOKENS_A_MINUTE: Final = 10_000
# Estimated at 9500 tokens, and at most favourable ratio at more than half of the limit.
TEXT: Final = "x" * 34_200
AT_ONCE_S: Final = 0.8
ASKED: Final = body(text=TEXT)
GAP_S: Final = 0.08
"""Between two who come one after the other."""


class Scarce:
    """A provider with one key that has room for one request at a time."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        upstream.answers_with(self._answer)

    def _answer(self, request: Recorded) -> Answer:
        is_first = request.header("x-request-id") == FIRST
        spent = {"input_tokens": 1, "output_tokens": 1}
        return says_json(message(usage=spent), before=(FIRST_S if is_first else OTHERS_S,))

    @property
    def order(self) -> list[str]:
        """Who arrived, in order, the one before the queue left out."""
        names = [request.header("x-request-id") or "" for request in self.upstream.requests]
        assert names[0] == FIRST
        return names[1:]


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, _upstreams: list[Upstream]) -> Relay:
    key = {"key": "k1", "itpm_limit": TOKENS_A_MINUTE}
    routing = {"queue_ms": QUEUE_MS, "queue_size": QUEUE_SIZE}
    settings = config(provider("p", _upstreams[0], keys=[key]), routing=routing)
    return start_relay(settings, workers=1)


@pytest.fixture
def scarce(relay: Relay, upstreams: list[Upstream]) -> Iterator[Scarce]:
    """Its key is in use: who comes now waits."""
    scarce = Scarce(upstreams[0])
    with Connection(relay.port) as first:
        first.begin("POST", "/v1/messages", ASKED, {"X-Request-ID": FIRST})
        upstreams[0].wait_for(1)
        yield scarce
        assert first.response().content


def _headers(name: str) -> list[tuple[str, str]]:
    """`s2-sub-3` is the third request of a sub-agent in session `s2`."""
    session, agent, _ = name.split("-")
    fields = [("x-claude-code-session-id", session)]
    return [*fields, ("x-claude-code-agent-id", f"{name}x")] if agent == "sub" else fields


@contextmanager
def _standing(relay: Relay, names: Sequence[str]) -> Iterator[list[Future[Asked]]]:
    """Let these come one after the other."""

    def come(name: str) -> Asked:
        return ask(relay.port, name, ASKED, headers=_headers(name))

    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        waiting = []
        for name in names:
            waiting.append(pool.submit(come, name))
            time.sleep(GAP_S)
        yield waiting


def test_who_finds_no_key_waits_and_is_served(relay: Relay, scarce: Scarce) -> None:
    with _standing(relay, ["s-main-1", "s-main-2"]) as waiting:
        answers = [one.result() for one in waiting]

    assert all(one.is_whole for one in answers), answers
    assert min(one.took_s for one in answers) > FIRST_S / 2
    assert scarce.order == ["s-main-1", "s-main-2"]


def test_the_conversation_comes_before_its_sub_agents(relay: Relay, scarce: Scarce) -> None:
    names = ["s-sub-1", "s-sub-2", "s-main-3", "s-main-4"]
    with _standing(relay, names) as waiting:
        assert all(one.result().is_whole for one in waiting)

    assert scarce.order == ["s-main-3", "s-main-4", "s-sub-1", "s-sub-2"]


def test_sessions_take_turns(relay: Relay, scarce: Scarce) -> None:
    names = ["s1-main-1", "s1-main-2", "s1-main-3", "s2-main-4"]
    with _standing(relay, names) as waiting:
        assert all(one.result().is_whole for one in waiting)

    assert scarce.order == ["s1-main-1", "s2-main-4", "s1-main-2", "s1-main-3"]


def test_a_full_queue_says_so_at_once(relay: Relay, scarce: Scarce) -> None:
    with _standing(relay, [f"s-main-{number}" for number in range(QUEUE_SIZE)]) as waiting:
        refused = ask(relay.port, "one too many", ASKED)
        answers = [one.result() for one in waiting]

    assert (refused.status, refused.is_error) == (429, True), refused
    assert b'"rate_limit_error"' in refused.body
    assert 1 <= int(refused.header("retry-after") or "0") <= 60
    assert refused.took_s < AT_ONCE_S
    assert all(one.is_whole for one in answers), answers
    assert "one too many" not in scarce.order


def test_who_leaves_gives_up_the_place(relay: Relay, scarce: Scarce) -> None:
    leaving = [Connection(relay.port) for _ in range(QUEUE_SIZE)]
    for number, connection in enumerate(leaving):
        fields = {"X-Request-ID": f"left-{number}"}
        connection.begin("POST", "/v1/messages", ASKED, fields)
    time.sleep(GAP_S)
    assert ask(relay.port, "one too many", ASKED).status == 429
    for connection in leaving:
        connection.close()

    def served() -> Asked | None:
        answer = ask(relay.port, "stays", ASKED)
        return answer if answer.is_whole else None

    until("a place in the queue", served, 3)
    assert scarce.order == ["stays"]
    assert relay.record_of("left-0")["outcome"] == "client_left"
