"""Streams as models write them: an event every so often, and a new stream after each."""

import time
from dataclasses import dataclass
from typing import ClassVar

from bench.load import figures
from bench.load.driver import Pattern
from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.meter import Meter
from bench.load.stage import Stage, drive, message


@dataclass(frozen=True, slots=True)
class Paced:
    """Many streams beside each other. A request's cost is in that of its events."""

    streams: int = 400
    events: int = 100
    interval_ms: int = 20

    name: ClassVar = "paced"
    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("cpu_us", "CPU µs an event"),
        Column("per_s", "events/s", 0),
        Column("transit_p50_ms", "transit p50 ms", 2),
        Column("transit_p99_ms", "transit p99 ms", 2),
        figures.ERRORS,
        *figures.COSTS,
    )

    @property
    def title(self) -> str:
        return (
            f"{self.streams} streams, an event each {self.interval_ms} ms, "
            f"{self.events} events a stream"
        )

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        return self.measure_at(stage, stage.warm(gateway), stage.seconds)

    def measure_at(self, stage: Stage, target: Gateway, seconds: float) -> Figures:
        """Measure a gateway that is up and warm."""
        length_s = self.events * self.interval_ms / 1000
        pattern = Pattern(
            message(events=self.events, interval_ms=self.interval_ms),
            self.streams,
            self.events,
            spread_s=length_s,  # renewals are spread like the starts, and stay so
        )
        meter, began = Meter(target, stage.upstream.pid), time.monotonic()
        record = drive(target, pattern, max(seconds, 2 * length_s))
        return {
            **meter.spent().us_each(record.events),
            **figures.milliseconds("transit", record.transit_ns),
            **figures.errors(record),
            "per_s": record.events / (time.monotonic() - began),
        }
