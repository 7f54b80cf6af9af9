"""Measure every load at every gateway, run after run, and say on stderr what is going on.

A run goes through all loads, and at each load through all gateways, so that what is compared is
measured within seconds of each other.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.load.driver import Driver, Pattern
from bench.load.figures import Figures
from bench.load.gateway import Gateway
from bench.load.load import Load
from bench.load.opened import TooFewDescriptors
from bench.load.say import say
from bench.load.stage import RELAY, Stage, message
from bench.load.targets import ALL

_TRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of all runs: load → gateway → one for each run."""

    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Load → why it could not be driven."""

    def of(self, load: str) -> Sequence[Figures]:
        """The relay's runs of one load, or of all for what they have in common."""
        if load == ALL:
            return [run for each in self.figures.values() for run in each.get(RELAY, [])]
        return self.figures.get(load, {}).get(RELAY, [])


class GatewaySilent(Exception):
    """A gateway did not answer as it should, until it was too late."""


def measure_all(
    stage: Stage, loads: Sequence[Load], gateways: Sequence[Gateway], runs: int
) -> Measured:
    """All loads, so many times."""
    measured, began = Measured(), time.monotonic()
    for run in range(1, runs + 1):
        for load in loads:
            for gateway in (None, *([] if load.is_ours_alone else gateways)):
                name = gateway.name if gateway else RELAY
                at = time.monotonic() - began
                say(f"[{at:4.0f} s] run {run} of {runs}: {load.name}, {name}")
                try:
                    one = load.measure(stage, gateway)
                except TooFewDescriptors as reason:
                    measured.skipped[load.name] = str(reason)
                    break
                measured.figures.setdefault(load.name, {}).setdefault(name, []).append(one)
        stage.end_shared()
    return measured


def wait_for(stage: Stage, gateways: Sequence[Gateway], limit_s: float) -> None:
    """Until each gateway has answered as the upstream does.

    Raises:
        GatewaySilent: one did not within the limit.
    """
    if not gateways:
        return
    say(f"point the gateways at {stage.upstream.url} (POST /v1/messages); waiting for them")
    until = time.monotonic() + limit_s
    for gateway in gateways:
        while True:
            with Driver(gateway, Pattern(message(), connections=1)) as driver:
                record = driver.run(_TRY_S)
            if record.answers:
                break
            if time.monotonic() > until:
                reasons = ", ".join(record.errors) or "nothing"
                raise GatewaySilent(f"{gateway.name} did not answer in {limit_s:g} s: {reasons}")
