"""A user in an empty home: no variables, no files, nothing running."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from relay.cli import cc_relay
from tests.scripted.upstream import Upstream

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 30

Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]

MINIMAL: Final = """\
server:
  listen: 127.0.0.1:8787
providers:
  - name: one
    type: anthropic
    keys:
      - key: k1
"""

SETTINGS: Final = """{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "env": {
    "B": "ü 😀 \\u2028",
    "ANTHROPIC_BASE_URL": "https://gateway.example/x",
    "A": "a"
  },
  "big": 123456789012345678901234567890,
  "exact": {
    "e": 1e400,
    "f": 0.10,
    "g": -0.0,
    "h": {},
    "i": []
  }
}
"""
"""Settings of Claude Code that are hard to keep as they are."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is the working folder too."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    """A command in this process: what does not replace, wait or signal."""
    assert home.is_dir()

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(cc_relay, arguments, prog_name="cc-relay")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return invoke


@pytest.fixture
def process(home: Path) -> Process:
    """A command as a process of its own."""

    def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "relay.cli", *arguments],
            env=environment(home, **variables),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return start


@pytest.fixture
def config(home: Path) -> Path:
    """A configuration that serves."""
    path = home / "config.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def settings(home: Path) -> Path:
    """Where Claude Code's settings lie; the folder is there, the file is not."""
    (home / ".claude").mkdir()
    return home / ".claude" / "settings.json"


@pytest.fixture
def asked() -> Iterator[Upstream]:
    """A provider that answers by script."""
    with Upstream() as upstream:
        yield upstream


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The variables of an empty home, and nothing of ours."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }
