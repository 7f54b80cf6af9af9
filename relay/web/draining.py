"""A worker that is told to stop: ready no more, then the rest is ended visibly (behaviour 13.2).

gunicorn stops accepting and waits for `graceful_timeout`; what is left then is killed without any
`finally`. So a little earlier, after `server.drain_ms`, every running exchange is ended here as a
broken stream, settled and logged.
"""

import logging
import signal
from types import FrameType
from typing import TYPE_CHECKING, Final

import gevent

from relay.web.connections import Connections
from relay.web.current import EXTENSION, Relay

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker

log = logging.getLogger("relay.web")

_LOOK_EVERY_S: Final = 0.1
# What was ended has so long to leave.
AFTER_DRAIN_S: Final = 5.0


def follow(worker: "Worker", connections: Connections) -> None:
    """Watch, in a greenlet, whether gunicorn wants this worker to stop."""
    relay: Relay = worker.wsgi.extensions[EXTENSION]
    signal.signal(signal.SIGINT, _Interrupted(worker))
    gevent.spawn(_follow, worker, connections, relay)


class _Interrupted:
    """Ctrl-C reaches every worker: the first one drains like SIGTERM, the second one ends."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def __call__(self, number: int, frame: FrameType | None) -> None:
        end = self._worker.handle_exit if self._worker.alive else self._worker.handle_quit
        end(number, frame)


def _follow(worker: "Worker", connections: Connections, relay: Relay) -> None:
    while worker.alive:
        gevent.sleep(_LOOK_EVERY_S)
    running, clock = relay.lasting.running, relay.lasting.clock
    running.draining = True
    log.info("draining", extra={"fields": {"open": running.count}})
    deadline = clock.monotonic() + relay.runtime.config.server.drain_ms / 1000
    while running.count and clock.monotonic() < deadline:
        gevent.sleep(_LOOK_EVERY_S)
    if running.count:
        log.warning("ending what is still open", extra={"fields": {"open": running.count}})
        relay.lasting.watch.drain()
    connections.close_idle()  # nearly last: until now a health check could still learn of the drain
    gevent.sleep(AFTER_DRAIN_S)
    log.error("killing what did not end", extra={"fields": {"open": running.count}})
    worker.cfg.set("graceful_timeout", 0)
