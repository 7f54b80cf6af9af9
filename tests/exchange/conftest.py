"""Two scripted providers, runtimes over them, and the lines that exchanges write."""

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from relay.clock import SystemClock
from relay.config.model import Config
from relay.stream.disconnect import ClientWatch
from tests.exchange.driving import Driven
from tests.exchange.leaving import Client
from tests.exchange.waiting import Waiting
from tests.scripted.upstream import Upstream


class Drive(Protocol):
    """Put a configuration to work until the test ends."""

    def __call__(
        self, settings: Mapping[str, Any], adjust: Callable[[Config], Config] = ...
    ) -> Driven: ...


@pytest.fixture(scope="session")
def _upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    with Upstream() as a, Upstream() as b:
        yield a, b


@pytest.fixture
def a(_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    _upstreams[0].forget()
    return _upstreams[0]


@pytest.fixture
def b(_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    _upstreams[1].forget()
    return _upstreams[1]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    running: list[Driven] = []

    def start(
        settings: Mapping[str, Any], adjust: Callable[[Config], Config] = lambda config: config
    ) -> Driven:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Driven(folder, settings, adjust))
        return running[-1]

    yield start
    for driven in running:
        driven.close()


class Beside(Protocol):
    """Let exchanges go on beside the test, at most until it ends."""

    def __call__(self, driven: Driven) -> Waiting: ...


@pytest.fixture
def beside() -> Iterator[Beside]:
    made: list[Waiting] = []

    def start(driven: Driven) -> Waiting:
        made.append(Waiting(driven))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def client() -> Iterator[Client]:
    """Somebody whom the relay watches while it waits."""
    made = Client(ClientWatch(SystemClock(), poll_s=0.02))
    yield made
    made.close()


@pytest.fixture
def closed_port() -> Iterator[str]:
    """A URL where nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


class Lines(logging.Handler):
    """The fields of every line, by message."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[str, str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        self.records.append((record.levelname, record.getMessage(), fields))

    def of(self, message: str) -> list[dict[str, Any]]:
        return [fields for _, said, fields in self.records if said == message]

    @property
    def ended(self) -> list[dict[str, Any]]:
        """One for each exchange that has ended."""
        return self.of("exchange ended")


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger = logging.getLogger("relay")
    handler, level = Lines(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
