"""What the relay has to reach, and whether it did: the median of the runs is judged.

Where a single run is one too many, as with errors, it is the worst of them.

Paced and burst events have no figure of their own here: their targets are relative to another
gateway (`bench.yardstick`, or `--gateway` beside the relay in the same run).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.load.figures import NOTHING, Figures, known_values

Verdict = Literal["met", "missed", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure of one load."""

    load: str
    key: str
    what: str
    bound: float
    is_least: bool = False
    """The figure must be at least the bound, else at most."""
    digits: int = 1
    is_by_worst: bool = False

    def judge(self, runs: Sequence[Figures]) -> Verdict:
        """Whether the median keeps the bound."""
        reached = self._reached(runs)
        if reached is None:
            return "not measured"
        is_kept = reached >= self.bound if self.is_least else reached <= self.bound
        return "met" if is_kept else "missed"

    def row(self, runs: Sequence[Figures]) -> Sequence[str]:
        """Load, what, figure, bound and verdict, as cells."""
        reached = self._reached(runs)
        cell = NOTHING if reached is None else f"{reached:.{self.digits}f}"
        sign = "≥" if self.is_least else "≤"
        return [
            self.load,
            self.what,
            cell,
            f"{sign} {self.bound:.{self.digits}f}",
            self.judge(runs),
        ]

    def _reached(self, runs: Sequence[Figures]) -> float | None:
        known = known_values(runs, self.key)
        if not known:
            return None
        if self.is_by_worst:
            return min(known) if self.is_least else max(known)
        return statistics.median(known)


TARGETS: Final[Sequence[Target]] = (
    Target("request", "cpu_us", "CPU µs a request", 450),
    Target("body", "on_top_ms", "CPU ms of 1 MB on top of a small body", 3, digits=2),
    Target("first-byte", "added_p50_ms", "added time to first byte, p50 ms", 1, digits=2),
    Target("first-byte", "added_p99_ms", "added time to first byte, p99 ms", 10, digits=2),
    Target("memory", "idle_mb", "idle worker, MB", 90),
    Target("memory", "kb_a_stream", "KB an open stream", 40),
    Target("open", "kb_a_stream", "KB an open stream", 40),
    Target("open", "transit_p99_ms", "transit p99 ms", 250),
    Target("open", "finished", "streams finished", 5000, is_least=True, digits=0, is_by_worst=True),
    Target("start-up", "relayed_s", "start to first relayed answer, s", 1.0, digits=2),
    Target("workers", "two_of_one", "events per CPU s, two of one", 1.9, is_least=True, digits=2),
)


ALL: Final = "all"
"""In place of a load: the errors of all of them."""
WITHOUT_ERRORS: Final = Target(
    ALL, "errors", "answers not whole or not as asked", 0, digits=0, is_by_worst=True
)
