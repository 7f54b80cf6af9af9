"""The command line of `python -m bench.load`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load.gateway import Gateway
from bench.load.load import Load
from bench.load.upstream import A_WRITE


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    loads: Sequence[Load]
    seconds: float
    runs: int
    json: Path | None
    gateways: Sequence[Gateway]
    upstream_port: int
    burst_write: int
    wait_s: float


def parse(arguments: Sequence[str], loads: Sequence[Load]) -> Options:
    """Read the arguments; ends the process with 2 and a sentence if they are wrong."""
    names = [each.name for each in loads]
    parser = argparse.ArgumentParser(
        prog="python -m bench.load",
        description="What the relay costs under load, beside other gateways.",
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--seconds", type=_positive, default=3.0, help="of a timed load (%(default)s)"
    )
    parser.add_argument("--runs", type=int, choices=range(1, 100), default=3, metavar="N",
                        help="medians of so many are shown (%(default)s)")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every run")
    parser.add_argument("--gateway", action="append", type=_gateway, default=[],
                        metavar="NAME=URL[#PID]", help="measure it, too; repeatable")  # fmt: skip
    parser.add_argument("--upstream-port", type=int, default=0, metavar="PORT",
                        help="where gateways find the upstream (a free one)")  # fmt: skip
    parser.add_argument("--burst-write", type=int, choices=range(1, 101), default=A_WRITE,
                        metavar="N", help="events a write of a burst (%(default)s)")  # fmt: skip
    parser.add_argument("--wait", type=_positive, default=60.0, dest="wait_s", metavar="SECONDS",
                        help="for a gateway to answer (%(default)s)")  # fmt: skip
    read = parser.parse_args(arguments)
    taken = ["relay", "direct", *(each.name for each in read.gateway)]
    if len(set(taken)) < len(taken):
        parser.error("--gateway: each needs a name of its own, other than relay and direct")
    return Options(
        loads=[each for each in loads if not read.only or each.name in read.only],
        seconds=read.seconds,
        runs=read.runs,
        json=read.json,
        gateways=read.gateway,
        upstream_port=read.upstream_port,
        burst_write=read.burst_write,
        wait_s=read.wait_s,
    )


def _gateway(written: str) -> Gateway:
    try:
        return Gateway.parse(written)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(written: str) -> float:
    number = float(written)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{written}: must be above 0 and at most 3600")
    return number
