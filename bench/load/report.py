"""Show what was measured: a table for each load, one of the targets, and everything as JSON."""

import json
import math
from collections.abc import Sequence

from bench import table
from bench.load.load import Load
from bench.load.measure import Measured
from bench.load.targets import Target


def show(measured: Measured, loads: Sequence[Load], targets: Sequence[Target]) -> bool:
    """Print it all; whether no target was missed."""
    for load in loads:
        _show_load(load, measured)
    rows = [target.row(measured.of(target.load)) for target in targets]
    print("### Targets\n")
    table.show(["load", "what", "relay", "target", "verdict"], rows)
    missed = [target for target in targets if target.judge(measured.of(target.load)) == "missed"]
    names = "; ".join(f"{each.load}: {each.what}" for each in missed)
    print(f"\nmissed: {names or 'none'}")
    return not missed


def as_json(measured: Measured, where: str, targets: Sequence[Target]) -> str:
    """Every figure of every run; what could not be measured is null."""
    figures = {
        load: {
            name: [{key: _known(value) for key, value in run.items()} for run in runs]
            for name, runs in by_gateway.items()
        }
        for load, by_gateway in measured.figures.items()
    }
    verdicts = [
        {
            "load": each.load,
            "key": each.key,
            "bound": each.bound,
            "verdict": each.judge(measured.of(each.load)),
        }
        for each in targets
    ]
    whole = {"where": where, "loads": figures, "skipped": measured.skipped, "targets": verdicts}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _show_load(load: Load, measured: Measured) -> None:
    print(f"### {load.name}: {load.title}\n")
    if load.name in measured.skipped:
        print(f"skipped: {measured.skipped[load.name]}\n")
        return
    rows = [
        [name, *(column.cell(runs) for column in load.columns)]
        for name, runs in measured.figures[load.name].items()
    ]
    table.show(["gateway", *(column.head for column in load.columns)], rows)
    print()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
