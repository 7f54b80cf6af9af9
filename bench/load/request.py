"""Small calls without a stream, one after another on kept connections."""

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
class Request:
    """As many as the gateway can answer."""

    connections: int = 16

    name: ClassVar = "request"
    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("cpu_us", "CPU µs a request"),
        Column("per_s", "requests/s", 0),
        Column("whole_p50_ms", "p50 ms", 2),
        Column("whole_p99_ms", "p99 ms", 2),
        figures.ERRORS,
        *figures.COSTS,
    )

    @property
    def title(self) -> str:
        return f"small requests without a stream, {self.connections} connections"

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        return self.measure_at(stage, stage.warm(gateway), stage.seconds)

    def measure_at(self, stage: Stage, target: Gateway, seconds: float) -> Figures:
        """Measure a gateway that is up and warm."""
        meter, began = Meter(target, stage.upstream.pid), time.monotonic()
        record = drive(target, Pattern(message(), self.connections), seconds)
        return {
            **meter.spent().us_each(record.answers),
            **figures.milliseconds("whole", record.whole_ns),
            **figures.errors(record),
            "per_s": record.answers / (time.monotonic() - began),
        }
