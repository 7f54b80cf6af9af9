"""Run a fake upstream in a process of its own, and ask it what happened to a trial."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench.relay_process import ROOT

STOP_LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """When the upstream received a trial and lost its connection; 0 = not yet."""

    received_ns: int
    closed_ns: int


class UpstreamProcess:
    """From construction to `close`; it ends with its standard input, also if we are killed."""

    def __init__(self, module: str = "bench.fake_upstream", arguments: Sequence[str] = ()) -> None:
        """Start it; it prints its port when it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout  # noqa: S101 - a pipe was asked for
        port = self._process.stdout.readline()
        if not port:
            self.close()
            raise RuntimeError("the upstream did not start; what it said stands above")
        self.port = int(port)
        self.pid = self._process.pid
        self.url = f"http://127.0.0.1:{self.port}"

    def seen(self, trial: str) -> Seen:
        """What it knows about a trial."""
        return Seen(**json.loads(self.get(f"/trial/{trial}")))

    def body(self, trial: str) -> bytes:
        """The request body that a trial brought."""
        return self.get(f"/body/{trial}")

    def get(self, path: str) -> bytes:
        """What it says to a GET."""
        url = self.url + path
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http
            body: bytes = answer.read()
        return body

    def close(self) -> None:
        """End it; once."""
        try:
            self._process.communicate(timeout=STOP_LIMIT_S)
        except BaseException:  # whatever it is, nothing is left behind
            self._process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
