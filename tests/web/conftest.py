"""Applications over a scripted provider, and the lines they write."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.driving import App


class StartApp(Protocol):
    """Build an application that is closed when the test ends."""

    def __call__(self, settings: Mapping[str, Any]) -> App: ...


@pytest.fixture(scope="session")
def _upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def a(_upstream: Upstream) -> Upstream:
    _upstream.forget()
    return _upstream


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[StartApp]:
    relay = logging.getLogger("relay")
    before = relay.handlers, relay.level, relay.propagate
    running: list[App] = []

    def start(settings: Mapping[str, Any]) -> App:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(App(folder, settings))
        return running[-1]

    yield start
    for app in running:
        app.close()
    for handler in relay.handlers:
        if handler not in before[0]:
            handler.close()
    relay.handlers, relay.level, relay.propagate = before


@pytest.fixture
def app(start_app: StartApp, a: Upstream) -> App:
    """Provider `p` with key `k1`, one place (so that one that is kept is missed)."""
    return start_app(config(provider("p", a, "k1"), server={"max_concurrent": 1}))
