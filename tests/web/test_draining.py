"""A worker told to stop: ready no more, then what is left is ended (behaviour 13.2)."""

from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest
from flask import Flask

from relay.stream.drain import Draining
from relay.web import draining
from relay.web.connections import Connections
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import App


@dataclass
class Worker:
    """The part of gunicorn's worker that is watched."""

    wsgi: Flask
    alive: bool = True
    pid: int = 1
    seen: list[Any] = field(default_factory=list)

    def handle(self, *_: object) -> None:
        """Serves no connection here."""

    def handle_request(self, *_: object) -> None:
        """Serves no request here."""


def wait_for(what: Any, within_s: float = 3.0) -> None:
    with gevent.Timeout(within_s):
        while not what():
            gevent.sleep(0.01)


@pytest.fixture
def worker(start_app: StartApp, a: Upstream) -> Worker:
    app = start_app(config(provider("p", a, "k1"), server={"drain_ms": 150}))
    made = Worker(app.flask)
    made.seen.append(app)
    draining.follow(made, Connections(made))
    return made


def test_a_worker_that_stops_is_ready_no_more_and_ends_what_is_left(worker: Worker) -> None:
    app: App = worker.seen[0]
    app.lasting.running.enter()
    gevent.sleep(0.15)
    assert not app.lasting.running.draining

    worker.alive = False
    wait_for(lambda: app.lasting.running.draining)

    assert not app.lasting.watch.draining
    wait_for(lambda: app.lasting.watch.draining)
    assert app.ask("GET", "/health/ready").status == 503
    assert app.ask("GET", "/health").status == 200


def test_a_worker_with_nothing_left_ends_nobody(worker: Worker) -> None:
    app: App = worker.seen[0]

    worker.alive = False
    wait_for(lambda: app.lasting.running.draining)
    gevent.sleep(0.3)

    assert not app.lasting.watch.draining


def test_a_request_met_by_the_end_before_commit_gets_a_503(worker: Worker, a: Upstream) -> None:
    app: App = worker.seen[0]

    class Ending:
        def read(self, _size: int) -> bytes:
            raise Draining

    answered = app.ask(stream=Ending())

    assert answered.status == 503
    assert answered.error() == ("overloaded_error", "this relay is shutting down")
    assert answered.header("retry-after") == "1"
    assert not a.requests
