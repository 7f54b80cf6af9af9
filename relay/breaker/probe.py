"""Prober: ask open providers now and then whether they are back (behaviour 10.3).

    every interval and a fixed jitter ──► open ones ──► send ──► below 500: half-open at once

One worker at a time asks one provider: whoever gets its place. The place is kept until the next
probe is due, so that many workers do not ask more often than one. A good probe closes nothing;
what closes a breaker are requests that succeed.

A thread of its own, which under gevent is a greenlet. It starts with `start`, after any fork.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from relay.breaker.breaker import Breakers
from relay.breaker.transitions import State, standing
from relay.clock import Clock, SystemClock
from relay.config.model import HealthConfig
from relay.state.store import Store, StoreAway

log = logging.getLogger("relay.breaker")

SEND_S: Final = 5.0
"""How long `send` may take; keeping to it is the sender's part."""

# A place outlives a sender that takes its whole time, and what the machine adds to it.
_PLACE_S: Final = 2 * SEND_S
# `close` waits so long for a probe that runs; it ends by itself.
_CLOSE_S: Final = 1.0
# How soon a reload with another interval is noticed.
_LOOK_S: Final = 1.0
_FAILED: Final = 500

Send = Callable[[str], int | None]
"""`GET {base}/v1/models` of a provider without any credential: its status, None without one."""

Current = Callable[[], tuple[HealthConfig, Sequence[str]]]
"""The configuration in force, and the names of its providers."""


class Prober:
    """Probes the open providers of a relay until it is closed."""

    def __init__(
        self,
        breakers: Breakers,
        send: Send,
        current: Current,
        *,
        jitter_s: float,
        clock: Clock | None = None,
    ) -> None:
        """`jitter_s`: 0 to 2, drawn once, so that workers started together do not ask together."""
        self._breakers = breakers
        self._store: Store = breakers.store
        self._send = send
        self._current = current
        self._jitter_s = jitter_s
        self._clock = clock or SystemClock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if it has not begun or was closed already; the first probe comes after a wait."""
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._run, name="breaker-probes", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End. Idempotent."""
        self._closing.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_S)

    def round(self) -> None:
        """Probe every open provider whose turn it is. Raises: `StoreAway`."""
        health, providers = self._current()
        if not health.health_check.enabled or not providers:
            return
        now, records = self._store.look([self._breakers.name(each) for each in providers])
        for provider, record in zip(providers, records, strict=True):
            if self._closing.is_set():
                return
            if standing(record, now, health.circuit_breaker).state is State.OPEN:
                self._probe(provider, health)

    def _probe(self, provider: str, health: HealthConfig) -> None:
        name = f"prober/{provider}"
        token = self._store.hold(name, 1, _PLACE_S)
        if token is None:  # somebody asks, or has asked lately
            return
        began = self._clock.monotonic()
        try:
            status = self._send(provider)
            if status is not None and status < _FAILED:
                self._breakers.probed(provider, health.circuit_breaker)
        finally:
            left_s = health.health_check.interval_ms / 1000 - (self._clock.monotonic() - began)
            if left_s > 0:
                self._store.renew({}, [(name, token)], left_s)
            else:
                self._store.let_go(name, token)

    def _run(self) -> None:
        while self._paused():
            try:
                self.round()
            except StoreAway:
                log.debug("no probes while the store is away")
            except Exception:  # a probe that fails in a new way must not be the last one
                log.exception("probing failed")

    def _paused(self) -> bool:
        """Wait until the next round, however often the interval changes; False: closed."""
        began = self._clock.monotonic()
        while (left_s := began + self._pause_s() - self._clock.monotonic()) > 0:
            if self._closing.wait(min(left_s, _LOOK_S)):
                return False
        return not self._closing.is_set()

    def _pause_s(self) -> float:
        health, _ = self._current()
        return health.health_check.interval_ms / 1000 + self._jitter_s
