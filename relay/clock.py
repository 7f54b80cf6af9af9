"""The time, as something that is passed in: the one place that calls `time`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where durations and dates come from. Tests set their own."""

    def monotonic(self) -> float:
        """Seconds that never step back, for durations inside one process."""
        ...

    def wall(self) -> float:
        """Unix seconds, for what people and other machines read."""
        ...


class SystemClock:
    """The machine's own clocks; called more than once for each event that is relayed."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


def rfc3339(unix_s: float) -> str:
    """A moment as `2026-11-25T03:04:05Z`."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
