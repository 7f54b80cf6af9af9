"""Measure what the relay costs, and say whether it reaches its targets.

    python -m bench.load [--only NAME…] [--seconds S] [--runs N] [--json FILE]
                         [--upstream-port PORT --gateway NAME=URL[#PID] …]

Three processes: the upstream, the relay, and this one as the load. What the two ends cost
themselves stands in each table. Ends with 1 if a target is missed, 2 if there was nothing to
measure, 130 after Ctrl-C; no process is left in any case.
"""

import contextlib
import resource
import signal
import sys
from collections.abc import Sequence

from bench import table
from bench.load import options, report
from bench.load.loads import LOADS
from bench.load.measure import GatewaySilent, Measured, measure_all, wait_for
from bench.load.say import say
from bench.load.stage import Stage
from bench.load.targets import TARGETS, WITHOUT_ERRORS, Target

_DESCRIPTORS = 20_000
"""What 5 000 streams need in the relay, and some."""
_NOTHING = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str], targets: Sequence[Target] = TARGETS) -> int:
    """Measure and print; 0 if no target was missed."""
    asked = options.parse(arguments, LOADS)
    chosen = {each.name for each in asked.loads}
    judged = [
        *(each for each in targets if each.load in chosen),
        WITHOUT_ERRORS,
    ]
    where = table.machine()
    signal.signal(signal.SIGTERM, _interrupt)
    _raise_descriptors()
    try:
        burst = ("--burst-write", str(asked.burst_write))
        with Stage(asked.seconds, asked.upstream_port, *burst) as stage:
            where = f"{where}; {stage.cores}"
            wait_for(stage, asked.gateways, asked.wait_s)
            measured = measure_all(stage, asked.loads, asked.gateways, asked.runs)
    except KeyboardInterrupt:
        say("interrupted")
        return _INTERRUPTED
    except (GatewaySilent, RuntimeError) as fault:  # something did not start
        say(str(fault))
        return _NOTHING
    return _report(asked, measured, where, judged)


def _report(
    asked: options.Options, measured: Measured, where: str, judged: Sequence[Target]
) -> int:
    print(
        f"medians of {asked.runs} runs (least to most), {asked.seconds:g} s each, "
        f"{asked.burst_write} events a write of a burst; {where}\n"
    )
    is_met = report.show(measured, asked.loads, judged)
    if asked.json:
        asked.json.write_text(report.as_json(measured, where, judged))
    return 0 if is_met else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _raise_descriptors() -> None:
    # Upstream and relay inherit it.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = _DESCRIPTORS if unlimited else min(hard, _DESCRIPTORS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
