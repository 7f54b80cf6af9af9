"""Real relays and scripted upstreams for the tests of the whole relay.

`plain` is one relay for many modules: provider `p` of type `anthropic` with key `k1`, everything
else at its default. What a test needs otherwise it starts by `start_relay` or changes by a reload.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

from tests.scripted.config import config, provider
from tests.scripted.fleet import Fleet
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream


class StartRelay(Protocol):
    """Start a relay that lives as long as the tests of the module."""

    def __call__(
        self,
        config: Mapping[str, Any],
        *,
        workers: int = 2,
        environ: Mapping[str, str] | None = None,
    ) -> Relay: ...


_running: list[Relay] = []
_upstreams: list[Upstream] = []


@pytest.fixture(scope="session")
def plain_upstream() -> Iterator[Upstream]:
    """Where the relay `plain` sends everything."""
    with Upstream() as upstream:
        _upstreams.append(upstream)
        yield upstream


@pytest.fixture(scope="session")
def plain(plain_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """The relay with nothing special."""
    settings = config(provider("p", plain_upstream, "k1"))
    with Relay(tmp_path_factory.mktemp("plain"), settings) as relay:
        _running.append(relay)
        yield relay


@pytest.fixture(scope="module")
def start_upstream() -> Iterator[Callable[[], Upstream]]:
    """Start upstreams that live as long as the tests of the module."""
    with ExitStack() as stack:

        def start() -> Upstream:
            upstream = stack.enter_context(Upstream())
            _upstreams.append(upstream)
            return upstream

        yield start


@pytest.fixture(scope="module")
def start_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRelay]:
    """Start relays that live as long as the tests of the module."""
    started: list[Relay] = []
    with ExitStack() as stack:

        def start(
            config: Mapping[str, Any],
            *,
            workers: int = 2,
            environ: Mapping[str, str] | None = None,
        ) -> Relay:
            folder = tmp_path_factory.mktemp("relay")
            relay = stack.enter_context(Relay(folder, config, workers=workers, environ=environ))
            started.append(relay)
            _running.append(relay)
            return relay

        yield start
        for relay in started:  # all of them, before the first is waited for
            relay.terminate()
            _running.remove(relay)


@pytest.fixture(scope="module")
def _fleet(start_relay: StartRelay, start_upstream: Callable[[], Upstream]) -> Fleet:
    upstreams = {letter: start_upstream() for letter in "ABC"}
    return Fleet(start_relay(config(provider("idle", upstreams["A"], "k"))), upstreams)


@pytest.fixture
def fleet(_fleet: Fleet) -> Fleet:
    """A relay of two workers before three providers, with names that no test used before."""
    _fleet.renew()
    return _fleet


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    """Holds an answer back; let go at the end, so that no exchange outlives its test."""
    hold = threading.Event()
    yield hold
    hold.set()


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """No test sees what an earlier one sent, scripted or left open."""
    for upstream in _upstreams:
        upstream.forget()
    yield
    for relay in _running:
        relay.hang_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001  pytest passes by name
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the running relays wrote beside a test that failed."""
    report = yield
    if call.when == "call" and report.failed:
        for relay in _running:
            report.sections.append((f"relay {relay.folder.name}", _told(relay)))
    return report


def _told(relay: Relay) -> str:
    lines = relay.output().splitlines()
    return "\n".join([line for line in lines if '"/v1/models","status":200' not in line][-30:])
