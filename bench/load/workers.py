"""One worker beside two: whether the second brings as much as the first.

Nothing is pinned here, and load and upstream run on the same cores as the workers: two workers
never have two cores to themselves. So what they get through in a second cannot double; what an
event costs them can stay the same, and that is judged: the events that two workers could stream
in the CPU time of two cores, beside those of one worker in that of one. Each worker has as many
streams in both cases.
"""

from dataclasses import dataclass
from typing import ClassVar

from bench.load import cores
from bench.load.burst import Burst
from bench.load.figures import ERRORS, Column, Figures
from bench.load.gateway import Gateway
from bench.load.paced import Paced
from bench.load.request import Request
from bench.load.stage import Stage


@dataclass(frozen=True, slots=True)
class Workers:
    """Paced streams for the cost of an event; bursts and requests for what gets through."""

    streams_a_worker: int = 200
    burst_streams: int = 32
    connections: int = 32
    events: int = 100

    name: ClassVar = "workers"
    is_ours_alone: ClassVar = True
    columns: ClassVar = (
        Column("two_of_one", "events per CPU s, two of one", 2),
        Column("paced_1", "CPU µs a paced event: 1 worker"),
        Column("paced_2", "2 workers"),
        Column("burst_cpu_1", "CPU µs a burst event: 1", 2),
        Column("burst_cpu_2", "2", 2),
        Column("burst_1", "burst events/s: 1", 0),
        Column("burst_2", "2", 0),
        Column("request_1", "requests/s: 1", 0),
        Column("request_2", "2", 0),
        ERRORS,
    )

    @property
    def title(self) -> str:
        return (
            f"one worker beside two, {self.streams_a_worker} paced streams each; nothing pinned, "
            "load and upstream share the cores with the workers"
        )

    def measure(self, stage: Stage, _: Gateway | None, /) -> Figures:
        stage.end_shared()
        one, two = (self._measure(stage, workers) for workers in (1, 2))
        return {
            **{f"{key}_1": value for key, value in one.items()},
            **{f"{key}_2": value for key, value in two.items()},
            "two_of_one": 2 * one["paced"] / two["paced"],
            "errors": one["errors"] + two["errors"],
        }

    def _measure(self, stage: Stage, workers: int) -> Figures:
        with (
            cores.together(stage.cores, stage.upstream.pid),
            stage.fresh_relay(workers=workers, is_pinned=False) as (relay, _),
        ):
            stage.warm_up(relay)
            paced = Paced(self.streams_a_worker * workers, self.events).measure_at(
                stage, relay, stage.seconds
            )
            burst = Burst(self.burst_streams).measure_at(stage, relay, stage.seconds / 2)
            request = Request(self.connections).measure_at(stage, relay, stage.seconds / 2)
        return {
            "paced": paced["cpu_us"],
            "burst_cpu": burst["cpu_us"],
            "burst": burst["per_s"],
            "request": request["per_s"],
            "errors": paced["errors"] + burst["errors"] + request["errors"],
        }
