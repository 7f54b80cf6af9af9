"""`python -m bench.load` as a user runs it: rows, exit codes, and no process left behind."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.relay_process import free_port

ROOT = Path(__file__).parents[2]
LIMIT_S = 30
SHORT = ["--only", "request", "--seconds", "0.2", "--runs", "1"]
JUDGED = """
import sys
from bench.load.__main__ import main
from bench.load.targets import Target
sys.exit(main(sys.argv[2:], [Target("request", "cpu_us", "CPU", float(sys.argv[1]))]))
"""


class Program:
    """A run of the program, and every process that comes of it, known by a mark they inherit."""

    def __init__(self, arguments: Sequence[str], how: Sequence[str] = ("-m", "bench.load")) -> None:
        self._mark = f"BENCH_TEST_MARK={secrets.token_hex(8)}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, *how, *arguments],
            cwd=ROOT,
            env=os.environ | {name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out = self.err = ""

    def end(self) -> int:
        """Its exit code, once it has ended."""
        self.out, self.err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode

    def running(self) -> int:
        """How many of its processes there are."""
        return sum(self._is_ours(each) for each in Path("/proc").glob("[0-9]*"))

    def _is_ours(self, entry: Path) -> bool:
        try:
            return self._mark.encode() in (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # somebody else's, or gone
            return False


@dataclass(frozen=True)
class Ended:
    """Two runs that are over: one kept its target, the other could not."""

    met: Program
    missed: Program
    port: int
    json: Path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Both at once, to be over sooner."""
    port, written = free_port(), tmp_path_factory.mktemp("bench") / "figures.json"
    beside = ["--upstream-port", str(port), "--gateway", f"plain=http://127.0.0.1:{port}"]
    met = Program([*SHORT, *beside, "--json", str(written)], ["-c", JUDGED, "1000000"])
    missed = Program(SHORT, ["-c", JUDGED, "0.001"])
    met.end()
    missed.end()
    return Ended(met, missed, port, written)


def test_another_gateway_stands_beside_the_relay_without_cpu(ended: Ended) -> None:
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in rows_of(ended.met)}

    assert float(rows["relay"]) > 0
    assert rows["plain"] == "-"
    assert f"point the gateways at http://127.0.0.1:{ended.port}" in ended.met.err
    assert set(json.loads(ended.json.read_text())["loads"]["request"]) == {"relay", "plain"}


def rows_of(program: Program) -> list[str]:
    """The rows of its first table."""
    table = program.out.partition("### request")[2].partition("### Targets")[0]
    return [line for line in table.splitlines() if line.startswith("|")][2:]


def test_a_kept_target_ends_with_0(ended: Ended) -> None:
    assert ended.met.process.returncode == 0, ended.met.err
    assert "missed: none" in ended.met.out


def test_a_missed_target_ends_with_1_and_is_named(ended: Ended) -> None:
    assert ended.missed.process.returncode == 1, ended.missed.err
    assert "missed: request: CPU" in ended.missed.out


def test_no_process_is_left(ended: Ended) -> None:
    assert ended.met.running() == ended.missed.running() == 0


def test_a_gateway_that_never_answers_ends_with_2_before_anything_is_measured() -> None:
    silent = f"gone=http://127.0.0.1:{free_port()}"
    program = Program([*SHORT, "--gateway", silent, "--wait", "0.3"])

    assert program.end() == 2
    assert "gone did not answer in 0.3 s" in program.err
    assert program.running() == 0


def test_an_interrupted_run_leaves_no_process() -> None:
    long = ["--only", "paced", "--seconds", "60", "--runs", "1"]
    programs = {number: Program(long) for number in (signal.SIGINT, signal.SIGTERM)}
    until = time.monotonic() + LIMIT_S
    for program in programs.values():
        while program.running() < 4 and time.monotonic() < until:  # load, upstream, relay's two
            time.sleep(0.05)
    time.sleep(0.5)  # the load is under way

    for number, program in programs.items():
        program.process.send_signal(number)

    for program in programs.values():
        assert program.end() == 130, program.err
        assert program.running() == 0
