"""Ask what the workers of a relay hold: descriptors from outside, greenlets from inside.

Greenlets are seen only in the worker itself: the relay has to be served as `bench.observed:app`.
"""

import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

APP: Final = "bench.observed:app"
PATH: Final = "/bench/vitals"
ASK_LIMIT_S: Final = 10.0
"""The kernel chooses the worker of each connection; with two, this is never reached."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What one worker holds."""

    pid: int
    greenlets: int
    descriptors: int


def of_workers(url: str, pids: Sequence[int]) -> list[Vitals]:
    """The vitals of each worker, by asking until all have answered."""
    found: dict[int, Vitals] = {}
    until = time.monotonic() + ASK_LIMIT_S
    while set(found) != set(pids):
        if time.monotonic() > until:
            raise TimeoutError(f"workers {set(pids) - set(found)} did not answer")
        with urllib.request.urlopen(url + PATH, timeout=5) as answer:  # noqa: S310 - always http
            pid, greenlets = json.load(answer)
        found[pid] = Vitals(pid, greenlets, len(list(Path(f"/proc/{pid}/fd").iterdir())))
    return [found[pid] for pid in sorted(found)]
