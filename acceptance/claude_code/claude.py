"""Run Claude Code without a terminal, in an empty home, towards one base URL.

Telemetry, updates and everything else that is not the conversation is switched off; what it
should try outside nevertheless goes to `outside`, a proxy that refuses and records.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PLACEHOLDER: Final = "managed-by-cc-relay"
"""What `config cc init` writes for a token; it must never reach an upstream."""
RUN_LIMIT_S: Final = 60.0
"""The longest play takes 2 s; one retry of the client after a fault waits up to 32 s."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a run left on its outputs."""

    exit_code: int
    stdout: str
    stderr: str

    def result(self) -> dict[str, Any]:
        """The document of `--output-format json`, empty where the output is none."""
        try:
            document: dict[str, Any] = json.loads(self.stdout)
        except json.JSONDecodeError:
            return {}
        return document


class Claude:
    """The program with a home of its own, which lasts over several runs."""

    def __init__(self, program: Path, home: Path, base_url: str, outside: str) -> None:
        shutil.rmtree(home, ignore_errors=True)
        self._work = home / "work"
        self._work.mkdir(parents=True)
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_AUTH_TOKEN": PLACEHOLDER,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "IS_SANDBOX": "1",
            "HTTPS_PROXY": outside,
            "HTTP_PROXY": outside,
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, arguments: Sequence[str]) -> Printed:
        """One run; ended with all its children if it takes too long."""
        process = subprocess.Popen(
            [str(self._program), *arguments],
            cwd=self._work,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            stderr += f"\nstill running after {RUN_LIMIT_S:.0f} s"
        return Printed(process.returncode, stdout, stderr)
