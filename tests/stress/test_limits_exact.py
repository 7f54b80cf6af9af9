"""Limits hold in any sixty seconds, over workers and machines (behaviour 9.3; reliability 25).

Three relays' worth of bursts run side by side, because each needs more than a minute: requests a
minute over LMDB with three workers, the same over Redis with two relays, tokens a minute. Between
bursts now and then a worker is killed. The upstream records when what arrived.
"""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, says_message, streams
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.state.redis_server import RedisServer
from tests.stress.asking import Asked, ask, body, crowd
from tests.stress.conftest import size
from tests.stress.window import LENGTH_S, Started, most_within

pytestmark = pytest.mark.timeout(size(180, full=420))

# One window, the second more that the store looks back, and time for what has room again.
LASTS_S: Final = size(68, full=200)
BURST_S: Final = 0.5
CLIENTS: Final = 8
KILLS_EVERY: Final = 25
"""Bursts."""
A_MINUTE: Final = 30
TOKENS_A_MINUTE: Final = 1000
COST: Final = 11 + 3 + 7
"""Tokens of one answer, `messages.USAGE`: cache writes count as input, cache reads do not."""
# Its estimate is above what the answer says it cost, also with the most favourable learned ratio,
# so that the reservation covers it.
TEXT: Final = "x" * 240


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run of bursts."""

    asked: Sequence[Asked]
    started: Sequence[Started]
    alone: int
    """How often a process said that the store was away: on a machine that stands still for so long
    it counts for itself, as it shall (behaviour 9.8)."""

    @property
    def first_minute(self) -> int:
        """How many arrived within the first sixty seconds."""
        until = min(one.sent_at for one in self.asked) + LENGTH_S
        return sum(one.arrived_at < until for one in self.started)


def _answer(request: Recorded) -> Answer:
    return streams(pause_s=0.01) if b'"stream"' in request.body else says_message()


def _burst(ports: Iterator[int], numbers: Iterator[int]) -> list[Asked]:
    def one(number: int) -> Asked:
        data = body(stream=number % 2 == 0, text=TEXT, max_tokens=100)
        return ask(next(ports), f"r{number}", data)

    return crowd(CLIENTS, one, itertools.islice(numbers, CLIENTS))


def _bursts(relays: Sequence[Relay], upstream: Upstream, cost: int) -> Run:
    asked: list[Asked] = []
    ports, numbers = itertools.cycle([relay.port for relay in relays]), itertools.count()
    ends = time.monotonic() + LASTS_S
    for number in itertools.count(1):
        if (began := time.monotonic()) >= ends:
            break
        asked += _burst(ports, numbers)
        if number % KILLS_EVERY == 0:
            os.kill(relays[0].workers[0], signal.SIGKILL)
        time.sleep(max(0.0, began + BURST_S - time.monotonic()))
    arrived = {r.header("x-request-id"): r.arrived_at for r in upstream.requests}
    assert len(arrived) == len(upstream.requests), "a request was sent twice"
    started = [
        Started(one.sent_at, arrived[one.request_id], cost)
        for one in asked
        if one.request_id in arrived
    ]
    assert len(started) == len(arrived)
    alone = sum(relay.output().count("state degraded") for relay in relays)
    return Run(asked, started, alone)


def _run(
    folder: Path, key: Mapping[str, Any], *, relays: int, workers: int, redis: bool, cost: int = 1
) -> Run:
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        upstream.answers_with(_answer)
        state = {"url": stack.enter_context(RedisServer()).url} if redis else {}
        settings = config(provider("p", upstream, keys=[{"key": "k1", **key}]), state=state)
        started = []
        for number in range(relays):
            own = folder / str(number)
            own.mkdir(parents=True)
            started.append(stack.enter_context(Relay(own, settings, workers=workers)))
        return _bursts(started, upstream, cost)


_KINDS: Final[Mapping[str, Callable[[Path], Run]]] = {
    "lmdb": lambda folder: _run(folder, {"rpm_limit": A_MINUTE}, relays=1, workers=3, redis=False),
    "redis": lambda folder: _run(
        folder, {"rpm_limit": A_MINUTE}, relays=2, workers=size(2, full=3), redis=True
    ),
    "tokens": lambda folder: _run(
        folder, {"tpm_limit": TOKENS_A_MINUTE}, relays=1, workers=3, redis=False, cost=COST
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Run]]:
    """All of them at the same time."""
    folder = tmp_path_factory.mktemp("limits")
    with ThreadPoolExecutor() as pool:
        results = {name: pool.submit(run, folder / name) for name, run in _KINDS.items()}
        yield lambda name: results[name].result()


@pytest.mark.parametrize("store", ["lmdb", "redis"])
def test_no_minute_has_more_requests_than_the_limit(
    runs: Callable[[str], Run], figure: Callable[[str], None], store: str
) -> None:
    run = runs(store)

    figure(f"at most {most_within(run.started)} in 60 s, {len(run.started)} in all")
    assert most_within(run.started) <= A_MINUTE * (1 + run.alone)
    assert run.first_minute >= A_MINUTE, "fewer than the limit allows"
    assert len(run.started) >= A_MINUTE * 3 // 2, "the window does not slide"


def test_no_minute_has_more_tokens_than_the_limit(
    runs: Callable[[str], Run], figure: Callable[[str], None]
) -> None:
    run = runs("tokens")

    figure(f"at most {most_within(run.started)} in 60 s, {len(run.started)} requests")
    assert most_within(run.started) <= TOKENS_A_MINUTE * (1 + run.alone)
    # Without settling each would count as the hundred that were reserved.
    assert run.first_minute * COST >= TOKENS_A_MINUTE * 3 // 4, "fewer than the limit allows"
    assert len(run.started) * COST > TOKENS_A_MINUTE, "the window does not slide"


@pytest.mark.parametrize("kind", _KINDS)
def test_who_finds_no_room_is_told_so_and_when(runs: Callable[[str], Run], kind: str) -> None:
    run = runs(kind)

    refused = [one for one in run.asked if one.status != 200]
    assert refused
    for one in refused:
        assert (one.status, one.is_error) == (429, True), one
        assert b'"rate_limit_error"' in one.body, one
        assert 1 <= int(one.header("retry-after") or "0") <= 60, one
    for one in run.asked:
        assert one.is_whole or one.status == 429, one


def test_the_count_is_of_what_surely_lies_within() -> None:
    """The measure itself: one more than the limit within a minute is seen, at its edge not."""
    at = [Started(float(second), second + 0.5) for second in (0, 1, 59, 60, 61)]

    assert most_within(at) == 3  # 0, 1, 59; and 1, 59, 60; and 59, 60, 61
    assert most_within([*at, Started(59.1, 59.2)]) == 4
    assert most_within([Started(0, 0.1, 7), Started(1, 1.1, 5)]) == 12
    assert messages.USAGE["output_tokens"] + 14 == COST
