"""The store of one process: for tests, and for `state.url: memory:`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from relay.clock import Clock, SystemClock
from relay.state.steps import Steps, Table

# Names that nobody asks for again are dropped when there are so many more than at the last look.
_SWEEP_AFTER = 1024


class MemoryStore(Steps):
    """Records in a dict; a lock makes each step one, for threads too."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._table = _Records(clock or SystemClock())
        self._lock = threading.Lock()

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Table]:
        """As `Steps.begin`."""
        with self._lock:
            try:
                yield self._table
            except BaseException:
                self._table.undo()
                raise
            if write:
                self._table.keep()

    def close(self) -> None:
        """There is nothing to let go of."""


_Record = tuple[bytes, float]
_ABSENT: Final[_Record] = (b"", 0.0)


class _Records:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._before: dict[str, _Record] = {}  # what this transaction has changed
        self._latest = self._ahead = 0.0
        self._swept = 0

    def get(self, name: str) -> bytes | None:
        record, end = self._records.get(name, _ABSENT)
        return record if end > self.now() else None

    def put(self, name: str, record: bytes, ttl_s: float) -> None:
        self._before.setdefault(name, self._records.get(name, _ABSENT))
        self._records[name] = (record, self.now() + ttl_s)

    def remove(self, name: str) -> None:
        self._before.setdefault(name, self._records.pop(name, _ABSENT))

    def now(self) -> float:
        # When the machine's clock steps back, time goes on from where it was: if it stood still
        # until the clock had caught up, no window would empty and no place be freed until then.
        now = self._clock.wall() + self._ahead
        if now < self._latest:
            self._ahead += self._latest - now
            now = self._latest
        self._latest = now
        return now

    def undo(self) -> None:
        self._records |= self._before
        self._before.clear()

    def keep(self) -> None:
        self._before.clear()
        if len(self._records) < self._swept + _SWEEP_AFTER:
            return
        now = self.now()
        self._records = {name: each for name, each in self._records.items() if each[1] > now}
        self._swept = len(self._records)
