"""How much later the first byte of a stream comes through a gateway than from the upstream."""

from dataclasses import dataclass
from typing import ClassVar

from bench.load import figures
from bench.load.driver import Pattern, Record
from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.stage import Stage, drive, message


@dataclass(frozen=True, slots=True)
class FirstByte:
    """The same load twice, direct and through the gateway. Short streams: many first bytes."""

    streams: int = 50
    events: int = 10
    interval_ms: int = 20

    name: ClassVar = "first-byte"
    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("direct_p50_ms", "direct p50 ms", 2),
        Column("direct_p99_ms", "direct p99 ms", 2),
        Column("first_p50_ms", "through it p50 ms", 2),
        Column("first_p99_ms", "through it p99 ms", 2),
        Column("added_p50_ms", "added p50 ms", 2),
        Column("added_p99_ms", "added p99 ms", 2),
        Column("count", "streams", 0),
        figures.ERRORS,
    )

    @property
    def title(self) -> str:
        return f"time to first byte, {self.streams} streams, direct and through the gateway"

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        target = stage.warm(gateway)
        direct, through = self._drive(stage, stage.direct), self._drive(stage, target)
        times = {
            **figures.milliseconds("direct", direct.first_ns),
            **figures.milliseconds("first", through.first_ns),
        }
        return {
            **times,
            "added_p50_ms": times["first_p50_ms"] - times["direct_p50_ms"],
            "added_p99_ms": times["first_p99_ms"] - times["direct_p99_ms"],
            "count": len(through.first_ns),
            "errors": figures.errors(direct)["errors"] + figures.errors(through)["errors"],
        }

    def _drive(self, stage: Stage, target: Gateway) -> Record:
        pattern = Pattern(
            message(events=self.events, interval_ms=self.interval_ms),
            self.streams,
            self.events,
            # Beside each other, not in step: each stream starts in a moment of its own.
            spread_s=self.events * self.interval_ms / 1000,
        )
        return drive(target, pattern, stage.seconds)
