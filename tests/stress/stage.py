"""Stage: a relay whose workers are killed, its two providers, and what was seen.

Provider `c` is asked first, and its breaker opens and half-opens all the time; then `a`, whose two
keys have nothing but their exchanges in flight to tell them apart.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, streams
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.stress.asking import Asked
from tests.stress.conftest import Seed

WORKERS: Final = 3
PLACES: Final = 20
"""`server.max_concurrent`: more than the clients need."""
PROBES: Final = 2
BACK_WITHIN_S: Final = 60.0
"""After the last kill."""
FOUND_WITHIN_S: Final = 1.0
"""Within so long a client finds out which worker it has."""
_CHUNK_S: Final = 0.04


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer of the time of the kills, and which worker gave it; 0 where that is not known."""

    asked: Asked
    worker: int


class Providers:
    """What the two providers answer."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self.of_c: Callable[[Recorded], Answer] = self.unsteady
        self.hold = threading.Event()
        self.holds = ""
        """Exchanges of `a` with a key that begins so last until `hold` is set."""

    def c(self, request: Recorded) -> Answer:
        """What it does at this time."""
        return self.of_c(request)

    def unsteady(self, request: Recorded) -> Answer:
        """Fails at once, or answers after a while."""
        if self._seed.chance("c", request.header("x-request-id")).random() < 0.5:
            return says_error(500, "api_error")
        return says_message(before=(0.2,))

    def a(self, request: Recorded) -> Answer:
        """A stream of a second, or a message."""
        if b'"stream"' in request.body:
            return streams(*messages.text_stream(*"abcdefghijklmnopqrst"), pause_s=_CHUNK_S)
        key = request.header("x-api-key") or ""
        is_held = self.holds and key.startswith(self.holds)
        return says_message(before=(self.hold if is_held else 0.4,))


def fails(_: Recorded) -> Answer:
    """As a provider that is down."""
    return says_error(500, "api_error")


class Stage:
    """The relay, its providers, and what was killed when."""

    def __init__(self, folder: Path, seed: Seed, stack: ExitStack) -> None:
        self.seed = seed
        self.providers = Providers(seed)
        stack.callback(self.providers.hold.set)
        self.c, self.a = (stack.enter_context(Upstream()) for _ in range(2))
        self.c.answers_with(self.providers.c)
        self.a.answers_with(self.providers.a)
        self.settings = settings(self.c, self.a)
        self.folder = folder
        self.relay = stack.enter_context(Relay(folder, self.settings, workers=WORKERS))
        self.killed: dict[int, float] = {}
        """When each was."""
        self.seen: list[Seen] = []
        """The answers of the time of the kills."""

    def kill(self, pid: int) -> None:
        """Kill a worker and wait for the next one in its place."""
        self.killed[pid] = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        until(
            "a new worker",
            lambda: pid not in self.relay.workers and len(self.relay.workers) == WORKERS,
        )

    def had_to_break(self, one: Seen) -> bool:
        """Whether a kill met it."""
        if one.worker:
            return one.worker in self.killed
        until_s = one.asked.sent_at + one.asked.took_s
        return any(until_s - FOUND_WITHIN_S - 1 < at < until_s for at in self.killed.values())

    @property
    def since_s(self) -> float:
        """Time since the last kill."""
        return time.monotonic() - max(self.killed.values())

    @property
    def left_s(self) -> float:
        """Until everything that the killed held must be free."""
        return max(0.1, BACK_WITHIN_S - self.since_s)


def settings(c: Upstream, a: Upstream) -> dict[str, Any]:
    """The relay's configuration."""
    breaker = {"failure_threshold": 1, "open_duration_ms": 300, "half_open_probes": PROBES}
    return config(
        provider("c", c, keys=[{"key": "c-1", "rpm_limit": 100_000, "tpm_limit": 10_000_000}]),
        provider("a", a, "a-1", "a-2", pooling={"strategy": "least_loaded"}),
        server={"max_concurrent": PLACES},
        health={"circuit_breaker": breaker, "health_check": {"enabled": False}},
    )
