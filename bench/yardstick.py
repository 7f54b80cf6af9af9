"""Measure the relay's CPU beside that of a bare Go reverse proxy, in one run.

    python -m bench.yardstick --source FOLDER [--seconds 5]

`--source` holds the yardstick's three Go programs (`upstream`, `load`, `goproxy`); they are built
into a temporary folder. What is measured runs on core 0, load and upstream on core 1. Three
loads: `request` = small plain calls, `paced` = 400 streams with an event each 20 ms, `burst` =
16 streams as fast as the socket takes them. The pinned log of figures is in README.md.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench import table
from bench.relay_process import RelayProcess, free_port, is_answering

PROGRAMS: Final = ("upstream", "load", "goproxy")
MEASURED_CORE: Final = 0
LOAD_CORE: Final = 1
LOADS: Final[Mapping[str, Sequence[str]]] = {
    "request": ("-c", "16"),
    "paced": ("-stream", "-c", "400", "-events", "100", "-interval", "20"),
    "burst": ("-stream", "-c", "16", "-events", "1000", "-interval", "0"),
}
COSTS: Final = {
    "request": "cpu_us_per_req",
    "paced": "cpu_us_per_event",
    "burst": "cpu_us_per_event",
}
Figures = Mapping[str, float]


def build(source: Path, folder: Path) -> None:
    """Build the three programs; needs Go 1.22 or later."""
    go = shutil.which("go")
    if go is None:
        raise SystemExit("go: not found; it is needed to build the yardstick")
    for program in PROGRAMS:
        command = [go, "build", "-o", str(folder / program), f"./{program}"]
        subprocess.run(command, cwd=source, check=True, timeout=300)


@contextmanager
def pinned(core: int, *command: str) -> Iterator[int]:
    """A program on one core, ended at exit; `taskset` becomes it, so the pid is its own."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


def measure(folder: Path, load: str, url: str, pid: int, seconds: int) -> Figures:
    """Drive one load at `url` and charge it to the processes under `pid`."""
    where = ("-url", f"{url}/v1/messages", "-pid", str(pid), "-d", f"{seconds}s")
    who = ("-key", "managed-by-cc-relay")
    command = ["taskset", "-c", str(LOAD_CORE), str(folder / "load"), *where, *who, *LOADS[load]]
    done = subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)
    figures: Figures = json.loads(done.stdout)
    if figures["errs"]:
        print(f"{load} at {url}: {figures}", file=sys.stderr)
    return figures


def measure_all(folder: Path, seconds: int) -> dict[str, tuple[Figures, Figures]]:
    """Relay and Go proxy under each load, one right after the other."""
    with ExitStack() as running:
        upstream, goproxy = free_port(), free_port()
        to = f"http://127.0.0.1:{upstream}"
        start = running.enter_context
        start(pinned(LOAD_CORE, str(folder / "upstream"), "-addr", f"127.0.0.1:{upstream}"))
        proxy = ("-addr", f"127.0.0.1:{goproxy}", "-to", to)
        proxy_pid = start(pinned(MEASURED_CORE, str(folder / "goproxy"), *proxy))
        relay = start(RelayProcess(folder, to, workers=1, core=MEASURED_CORE))
        floor = f"http://127.0.0.1:{goproxy}"
        _wait_for(f"{floor}/stats")
        for url, pid in ((relay.url, relay.pid), (floor, proxy_pid)):
            measure(folder, "request", url, pid, 1)  # warm up
        return {
            load: (
                measure(folder, load, relay.url, relay.pid, seconds),
                measure(folder, load, floor, proxy_pid, seconds),
            )
            for load in LOADS
        }


def _wait_for(url: str) -> None:
    until = time.monotonic() + 10
    while not is_answering(url):
        if time.monotonic() > until:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.05)


def main(arguments: Sequence[str]) -> int:
    """Build, measure and print; the targets are the reader's to compare."""
    where = table.machine()
    parser = argparse.ArgumentParser(prog="python -m bench.yardstick")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="yardstick-") as folder:
        build(options.source, Path(folder))
        measured = measure_all(Path(folder), options.seconds)
    print(f"{options.seconds} s each; {where}\n")
    rows = [
        _row(load, who, figures, floor)
        for load, (relay, floor) in measured.items()
        for who, figures in (("relay", relay), ("Go proxy", floor))
    ]
    head = ["load", "who", "CPU µs", "of Go", "per s", "p50 ms", "p99 ms", "RSS MB", "errors"]
    table.show(head, rows)
    return 1 if any(one["errs"] for both in measured.values() for one in both) else 0


def _row(load: str, who: str, figures: Figures, floor: Figures) -> list[str]:
    kind = "lat" if load == "request" else "transit"
    cost = figures.get(COSTS[load], 0.0)
    return [
        load,
        who,
        f"{cost:.1f}",
        f"{cost / floor[COSTS[load]]:.2f}",
        f"{figures['per_s' if load == 'request' else 'events_per_s']:.0f}",
        f"{figures[f'{kind}_p50_ms']:.2f}",
        f"{figures[f'{kind}_p99_ms']:.2f}",
        f"{figures['rss_mb']:.0f}",
        f"{figures['errs']:.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
