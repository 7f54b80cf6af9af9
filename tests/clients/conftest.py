"""The official SDK in a process of its own, before a real relay and a scripted upstream."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.clients import install
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

SCRIPTS = Path(__file__).parent / "scripts"
RELAY_KEY = "relay-key-for-clients"


class Run(Protocol):
    """Run a script of `scripts/` with one SDK; what it printed."""

    def __call__(self, script: str, relay: Relay, key: str) -> Any: ...


class Begin(Protocol):
    """Start a script of `scripts/` with one SDK."""

    def __call__(self, script: str, relay: Relay, key: str) -> subprocess.Popen[str]: ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Once for every generation of the SDK that is installed."""
    if "sdk" in metafunc.fixturenames:
        metafunc.parametrize("sdk", _installed(), scope="module")


def _installed() -> list[str]:
    there = [version for version in install.VERSIONS if install.is_installed(version)]
    if os.environ.get("CI") == "true":
        return list(install.VERSIONS)  # what is missing fails
    return there


collect_ignore = [] if _installed() else ["test_sdk.py"]


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [
        f"anthropic {version} is not installed (make sdk): its tests are left out"
        for version in install.VERSIONS
        if version not in _installed()
    ]


@pytest.fixture(scope="module")
def begin(sdk: str) -> Begin:
    """Start a script with the SDK of this test."""

    def begin(script: str, relay: Relay, key: str) -> subprocess.Popen[str]:
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, str(SCRIPTS / script), f"http://127.0.0.1:{relay.port}", key],
            env=plain | {"PYTHONPATH": str(install.folder(sdk))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture(scope="module")
def run(begin: Begin) -> Run:
    """Run a script with the SDK of this test to its end."""

    def run(script: str, relay: Relay, key: str) -> Any:
        return printed(begin(script, relay, key))

    return run


def printed(process: subprocess.Popen[str], within_s: float = 40) -> Any:
    """The JSON a script printed, once it has ended."""
    try:
        out, told = process.communicate(timeout=within_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, told
    return json.loads(out)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def relay(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Strangers stay outside; a friend's key is the relay's, and goes no further."""
    settings = config(
        provider("p", upstream, "k1", models=["claude-text", "claude-b", "claude-c", "GLM-4.7"]),
        server={"auth": {"api_key": RELAY_KEY}, "max_concurrent": 1},
    )
    with Relay(tmp_path_factory.mktemp("relay"), settings, workers=1) as relay:
        yield relay
