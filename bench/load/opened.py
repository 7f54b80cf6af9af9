"""Streams that are all open at the same time: what they hold, and how late their events are.

They are opened one after another, held for a while, and then ended, each when its next event is
due. Times count only while all are open: what the opening costs is a figure of its own.
"""

import math
import resource
import time
from dataclasses import dataclass
from typing import ClassVar, Final

from bench.load import figures
from bench.load.driver import Driver, Pattern
from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.say import say_errors
from bench.load.stage import RELAY, Stage, message
from bench.resident import resident_bytes

_AT_ONCE: Final = 64
"""So many streams are waiting for their first byte while the others are opened."""
_OPEN_LIMIT_S: Final = 60.0
_END_LIMIT_S: Final = 30.0
_ENDLESS: Final = 1_000_000
_SPARE_DESCRIPTORS: Final = 256


class TooFewDescriptors(Exception):
    """The process may not open as many files as the load needs."""


@dataclass(frozen=True, slots=True)
class Opened:
    """So many streams, all open for so long."""

    name: str = "open"
    streams: int = 5000
    interval_ms: int = 250
    hold_s: float = 8.0

    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("finished", "finished", 0),
        Column("transit_p50_ms", "transit p50 ms", 2),
        Column("transit_p99_ms", "transit p99 ms", 2),
        Column("per_s", "events/s", 0),
        Column("kb_a_stream", "KB a stream"),
        Column("idle_mb", "idle MB"),
        Column("ramp_s", "ramp s"),
        figures.ERRORS,
    )

    @property
    def title(self) -> str:
        per_s = self.streams * 1000 // self.interval_ms
        return (
            f"{self.streams} streams open on one worker for {self.hold_s:.0f} s, "
            f"{per_s} events a second in all; times only while all are open"
        )

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        self._check_descriptors()
        pattern = Pattern(
            message(events=_ENDLESS, interval_ms=self.interval_ms),
            self.streams,
            events=None,
            at_once=_AT_ONCE,
        )
        with stage.fresh(gateway) as target:
            stage.warm_up(target)
            idle = _held(target)
            with Driver(target, pattern) as driver:
                driver.renews = False
                held = self._hold(driver)
                grown = _held(target) - idle
                stage.upstream.get("/finish")
                driver.finish(_END_LIMIT_S)
                record = driver.record
            say_errors(target, record)
        return {
            **held,
            **figures.errors(record),
            "finished": float(record.answers),
            "idle_mb": idle / 1e6,
            "kb_a_stream": grown / 1000 / self.streams,
        }

    def _hold(self, driver: Driver) -> dict[str, float]:
        """Open all, then look on until the time is over or one has ended."""
        record, began = driver.record, time.monotonic()
        while driver.is_opening and time.monotonic() < began + _OPEN_LIMIT_S:
            driver.step()
        opened = time.monotonic()
        if len(record.first_ns) < self.streams:
            record.errors["never opened"] += self.streams - len(record.first_ns)
        record.transit_ns.clear()
        ended = record.answers, record.errors.total()
        while time.monotonic() < opened + self.hold_s:
            driver.step()
            if ended != (record.answers, record.errors.total()):
                break
        return {
            **figures.milliseconds("transit", record.transit_ns),
            "per_s": len(record.transit_ns) / (time.monotonic() - opened),
            "ramp_s": opened - began,
        }

    def _check_descriptors(self) -> None:
        # A gateway holds two for each stream; it has our limit, if we started it.
        needed = 2 * self.streams + _SPARE_DESCRIPTORS
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed < needed:
            raise TooFewDescriptors(
                f"{self.streams} streams need {needed} open files, the limit is {allowed} "
                f"(ulimit -Hn)"
            )


def _held(target: Gateway) -> float:
    """Bytes of the relay's worker, or of all processes of another gateway."""
    pids = target.pids()
    if not pids:
        return math.nan
    return resident_bytes(pids[1:] if target.name == RELAY else pids)
