"""What one measurement gives, and how it is shown: names, columns and the medians of runs."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import table
from bench.load.driver import Record

Figures = Mapping[str, float]
"""One measurement of one load at one gateway; NaN = could not be measured."""

NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A figure as a table shows it."""

    key: str
    head: str
    digits: int = 1

    def cell(self, runs: Sequence[Figures]) -> str:
        """The median over the runs, and between what they lay; a dash where nothing is known."""
        known = known_values(runs, self.key)
        if not known:
            return NOTHING
        low, middle, high = (
            f"{each:.{self.digits}f}" for each in (min(known), statistics.median(known), max(known))
        )
        return middle if low == high else f"{middle} ({low}–{high})"  # noqa: RUF001 - a range


COSTS: Final = (
    Column("load_us", "load's own µs"),
    Column("upstream_us", "upstream's own µs"),
)
ERRORS: Final = Column("errors", "errors", 0)


def known_values(runs: Iterable[Figures], key: str) -> list[float]:
    """A figure in every run that has it."""
    return [each[key] for each in runs if not math.isnan(each.get(key, math.nan))]


def milliseconds(name: str, nanoseconds: Sequence[int]) -> dict[str, float]:
    """p50 and p99 of times, as `NAME_p50_ms` and `NAME_p99_ms`."""
    return {
        f"{name}_p{percent}_ms": (
            table.percentile(nanoseconds, percent) / 1e6 if nanoseconds else math.nan
        )
        for percent in (50, 99)
    }


def errors(record: Record) -> dict[str, float]:
    """How many answers were not what was asked for."""
    return {"errors": float(record.errors.total())}
