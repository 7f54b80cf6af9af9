"""A circuit: a breaker's record and what is done to it, without a store."""

import itertools

from relay.breaker.transitions import (
    Outcome,
    Signal,
    Standing,
    Unchanged,
    after,
    standing,
)
from relay.config.model import CircuitBreakerConfig

CONFIG = CircuitBreakerConfig(failure_threshold=3, open_duration_ms=30_000, half_open_probes=2)
NOW = 1_800_000_000.0

_marks = itertools.count(1)


def a_mark() -> bytes:
    """Another one each time."""
    return next(_marks).to_bytes(8, "big")


class Circuit:
    """A record and what is done to it."""

    def __init__(self, config: CircuitBreakerConfig = CONFIG) -> None:
        self.record: bytes | None = None
        self._config = config

    def hears(self, signal: Signal, now: float = NOW, epoch: bytes = b"") -> bool:
        """Whether something was to be written."""
        changed = after(self.record, Outcome(signal, epoch), now, self._config, mark=a_mark())
        if isinstance(changed, Unchanged):
            return False
        self.record = changed
        return True

    def stands(self, now: float = NOW) -> Standing:
        """As others see it."""
        return standing(self.record, now, self._config)

    def fails(self, times: int, now: float = NOW) -> None:
        """So many failures of requests that are no probes."""
        for _ in range(times):
            self.hears(Signal.FAILURE, now)
