"""The store of one process: for tests, and for `state.url: memory:`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from relay.clock import Clock, SystemClock
from relay.state.steps import Steps, Table

# Names that nobody asks for again are dropped when there are so many more than at the last look.
_SWEEP_AFTER = 1024


class MemoryStore(Steps):
    """Records in a dict; a lock makes each step one, for threads too."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._table = _Records(clock or SystemClock())
        self._lock = threading.Lock()

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Table]:
        """As `Steps.begin`."""
        with self._lock:
            yield self._table
            if write:
                self._table.sweep()

    def close(self) -> None:
        """There is nothing to let go of."""


class _Records:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, tuple[bytes, float]] = {}
        self._latest = 0.0
        self._swept = 0

    def get(self, name: str) -> bytes | None:
        record, end = self._records.get(name, (None, 0.0))
        return record if end > self.now() else None

    def put(self, name: str, record: bytes, ttl_s: float) -> None:
        self._records[name] = (record, self.now() + ttl_s)

    def remove(self, name: str) -> None:
        self._records.pop(name, None)

    def now(self) -> float:
        self._latest = max(self._latest, self._clock.wall())
        return self._latest

    def sweep(self) -> None:
        if len(self._records) < self._swept + _SWEEP_AFTER:
            return
        now = self.now()
        self._records = {name: each for name, each in self._records.items() if each[1] > now}
        self._swept = len(self._records)
