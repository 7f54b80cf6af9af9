"""What the size of a request's body costs: a long conversation beside a small one."""

from dataclasses import dataclass
from typing import ClassVar, Final

from bench.body import MODEL, conversation
from bench.load import figures
from bench.load.driver import Pattern, Record
from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.meter import Meter, Spent
from bench.load.stage import Stage, drive

_SMALL_KB: Final = 1


@dataclass(frozen=True, slots=True)
class Body:
    """Calls without a stream; half of the time small ones, half of it large ones."""

    size_kb: int = 1000
    connections: int = 4

    name: ClassVar = "body"
    is_ours_alone: ClassVar = False
    columns: ClassVar = (
        Column("on_top_ms", "CPU ms on top", 2),
        Column("large_ms", "large, CPU ms", 2),
        Column("small_ms", "small, CPU ms", 2),
        figures.ERRORS,
        *(Column(each.key, f"{each.head}, large", 0) for each in figures.COSTS),
    )

    @property
    def title(self) -> str:
        return (
            f"request bodies of {self.size_kb} KB beside {_SMALL_KB} KB, "
            f"{self.connections} connections"
        )

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        target = stage.warm(gateway)
        small, small_spent = self._drive(stage, target, _SMALL_KB)
        large, large_spent = self._drive(stage, target, self.size_kb)
        costs = large_spent.us_each(large.answers)
        small_ms = small_spent.us_each(small.answers)["cpu_us"] / 1000
        large_ms = costs["cpu_us"] / 1000
        return {
            **costs,
            "small_ms": small_ms,
            "large_ms": large_ms,
            "on_top_ms": large_ms - small_ms,
            "errors": figures.errors(small)["errors"] + figures.errors(large)["errors"],
        }

    def _drive(self, stage: Stage, target: Gateway, size_kb: int) -> tuple[Record, Spent]:
        meter = Meter(target, stage.upstream.pid)
        pattern = Pattern(conversation(MODEL, size_kb), self.connections)
        record = drive(target, pattern, stage.seconds / 2)
        return record, meter.spent()
