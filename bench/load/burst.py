"""Streams as fast as the sockets take them: many events at once, the gateway is the bottleneck."""

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
class Burst:
    """A few streams beside each other, a new one after each."""

    streams: int = 16
    events: int = 1000

    name: ClassVar = "burst"
    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("cpu_us", "CPU µs an event", 2),
        Column("per_s", "events/s", 0),
        figures.ERRORS,
        *(Column(each.key, each.head, 2) for each in figures.COSTS),
    )

    @property
    def title(self) -> str:
        return f"{self.streams} streams of {self.events} events as fast as the sockets take them"

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        return self.measure_at(stage, stage.warm(gateway), stage.seconds)

    def measure_at(self, stage: Stage, target: Gateway, seconds: float) -> Figures:
        """Measure a gateway that is up and warm."""
        pattern = Pattern(message(events=self.events), self.streams, self.events)
        meter, began = Meter(target, stage.upstream.pid), time.monotonic()
        record = drive(target, pattern, seconds)
        return {
            **meter.spent().us_each(record.events),
            **figures.errors(record),
            "per_s": record.events / (time.monotonic() - began),
        }
