"""How long the relay takes from its start to its first answers."""

import time
from dataclasses import dataclass
from typing import ClassVar

from bench.load import figures
from bench.load.driver import Driver, Pattern
from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.say import say_errors
from bench.load.stage import Stage, message

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Startup:
    """Starts one after another; the best counts, the others had somebody in their way."""

    starts: int = 3

    name: ClassVar = "start-up"
    is_ours_alone: ClassVar = True
    columns: ClassVar = (
        Column("health_s", "first /health s", 2),
        Column("relayed_s", "first relayed request s", 2),
        figures.ERRORS,
    )

    @property
    def title(self) -> str:
        return f"from the start of the process, best of {self.starts}"

    def measure(self, stage: Stage, _: Gateway | None, /) -> Figures:
        stage.end_shared()
        starts = [_start(stage) for _ in range(self.starts)]
        return {key: min(start[key] for start in starts) for key in starts[0]}


def _start(stage: Stage) -> Figures:
    with (
        stage.fresh_relay() as (gateway, process),
        Driver(gateway, Pattern(message(), connections=1)) as driver,
    ):
        driver.renews = False
        until = time.monotonic() + _LIMIT_S
        while driver.open and time.monotonic() < until:
            driver.step()
        say_errors(gateway, driver.record)
        return {
            "health_s": process.healthy_at - process.started_at,
            "relayed_s": time.monotonic() - process.started_at,
            "errors": 1.0 - driver.record.answers,
        }
