"""Stress: many requests, faults and kills against whole relays; each test bounded, sizes as named.

Sizes are for CI. `CC_RELAY_STRESS=full` runs the numbers of the issue, `CC_RELAY_STRESS_SEED`
repeats the random choices of a run that failed:

    CC_RELAY_STRESS=full python -m pytest tests/stress

What was measured is printed at the end.
"""

import os
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

IS_FULL = os.environ.get("CC_RELAY_STRESS") == "full"

running: list[Relay] = []
"""Whose output is shown beside a test that failed."""


def size(in_ci: int, *, full: int) -> int:
    """How many of something."""
    return full if IS_FULL else in_ci


@dataclass(frozen=True, slots=True)
class Seed:
    """What the random choices of one test begin with."""

    value: int

    def chance(self, *about: object) -> random.Random:
        """A generator for one thing: the same for the same seed, whatever came before."""
        return random.Random(f"{self.value} {about}")  # noqa: S311  no secret


class StartRelay(Protocol):
    """Start a relay that lives as long as the tests of the module."""

    def __call__(self, config: Mapping[str, Any], *, workers: int = 2) -> Relay: ...


def new_seed() -> Seed:
    """A new seed, or the one of `CC_RELAY_STRESS_SEED`; printed, so that it stands by a failure."""
    value = int(os.environ.get("CC_RELAY_STRESS_SEED") or random.randrange(1 << 32))  # noqa: S311  no secret
    print(f"CC_RELAY_STRESS_SEED={value}")  # noqa: T201  pytest shows it where the test fails
    return Seed(value)


@pytest.fixture
def seed() -> Seed:
    """What the random choices of the test begin with."""
    return new_seed()


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep something measured, for the end of the report."""
    return lambda text: record_property("figure", text)


@pytest.fixture(scope="module")
def _upstreams() -> Iterator[list[Upstream]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Upstream()) for _ in range(3)]


@pytest.fixture
def upstreams(_upstreams: list[Upstream]) -> list[Upstream]:
    """Three providers that have been sent nothing yet."""
    for upstream in _upstreams:
        upstream.forget()
    return _upstreams


@pytest.fixture(scope="module")
def start_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartRelay]:
    """Start relays; all are ended at once."""
    started: list[Relay] = []
    with ExitStack() as stack:

        def start(config: Mapping[str, Any], *, workers: int = 2) -> Relay:
            folder = tmp_path_factory.mktemp("relay")
            relay = stack.enter_context(Relay(folder, config, workers=workers))
            started.append(relay)
            running.append(relay)
            return relay

        yield start
        for relay in started:
            relay.terminate()
            running.remove(relay)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001  pytest passes by name
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the running relays wrote beside a test that failed."""
    report = yield
    if call.when == "call" and report.failed:
        for relay in running:
            told = "\n".join(relay.output().splitlines()[-30:])
            report.sections.append((f"relay {relay.folder.name}", told))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests measured, passed or not."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in getattr(report, "user_properties", ()):
                if name == "figure" and report.when == "call":
                    where = report.nodeid.rpartition("/")[2]
                    terminalreporter.write_line(f"{where}: {text}")
