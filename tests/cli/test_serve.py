"""`serve`: what it refuses at once, and the relay that it becomes."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.cli import asking
from relay.cli.asking import Deadline, NoAnswer
from relay.config.addresses import Listen
from tests.cli.conftest import LIMIT_S, MINIMAL, Run, environment
from tests.cli.peers import free_port
from tests.scripted.waiting import until

Served = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_port_that_is_taken_is_reported_before_anything_starts(
    run: Run, config: Path, host: str
) -> None:
    assert config.exists()
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    with socket.create_server((host.strip("[]"), 0), family=family) as taken:
        address = f"{host}:{taken.getsockname()[1]}"
        result = run("serve", "--listen", address)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{address}: cannot be bound: address already in use\n"


def test_an_address_of_another_machine_is_reported(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(
        MINIMAL.replace("127.0.0.1:8787", "192.0.2.1:8787\n  auth: {api_key: secret}")
    )

    result = run("serve")

    assert result.exit_code == 1
    assert result.stderr.startswith("192.0.2.1:8787: cannot be bound: ")


def test_every_fault_of_the_file_is_printed(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(
        "server: {listen: nowhere, workers: -1}\nproviders:\n  - {name: a, type: b}\n"
    )

    result = run("serve")

    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == f"{home}/config.yaml is not valid"
    assert {line.split(":")[0] for line in lines[1:]} >= {
        "server.listen",
        "server.workers",
        "providers[0].type",
    }


@pytest.mark.parametrize("command", [("serve",), ("config", "validate")])
def test_no_enabled_provider_is_refused_alike(
    run: Run, home: Path, command: tuple[str, ...]
) -> None:
    (home / "config.yaml").write_text(MINIMAL.replace("    keys:", "    enabled: false\n    keys:"))

    result = run(*command)

    assert result.exit_code == 1
    assert "no enabled provider found" in result.stderr


def test_an_option_opens_no_door_that_the_file_could_not(run: Run, config: Path) -> None:
    assert config.exists()

    result = run("serve", "--listen", "0.0.0.0:0")

    assert result.exit_code == 1
    assert "nothing authenticates clients" in result.stderr


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    """A relay as a process, on the port that is given; ended afterwards."""
    running: list[subprocess.Popen[str]] = []

    def start(port: int, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "relay.cli", "serve", "--workers", "1", *options],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        _wait_for(port, process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=LIMIT_S)


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = Deadline.within(LIMIT_S)
    while deadline.left_s() and process.poll() is None:
        try:
            answer = asking.get(Listen("127.0.0.1", port), "/health", Deadline.within(2))
        except NoAnswer:
            time.sleep(0.05)
        else:
            assert json.loads(answer.body) == {"status": "ok"}
            return
    raise AssertionError(process.communicate(timeout=LIMIT_S)[0])


def _lists(port: int, model: str) -> bool:
    answer = asking.get(Listen("127.0.0.1", port), "/v1/models", Deadline.within(2))
    return answer.status == 200 and model in [e["id"] for e in json.loads(answer.body)["data"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(
    served: Served, run: Run, home: Path, number: signal.Signals
) -> None:
    port = free_port()
    (home / "config.yaml").write_text(MINIMAL.replace("8787", str(port)))
    process = served(port)
    assert run("status").stdout == f"cc-relay is running (127.0.0.1:{port})\n"

    process.send_signal(number)

    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def test_options_win_over_the_file_in_every_worker_and_after_a_reload(
    served: Served, config: Path
) -> None:
    port = free_port()
    process = served(port, "--listen", f"127.0.0.1:{port}", "--log-format", "json", "--debug")

    changed = MINIMAL.replace("8787", "1").replace("anthropic", "anthropic\n    models: [new]")
    config.write_text(changed + "logging: {format: console, level: error}\n")
    until("the reload", lambda: _lists(port, "new"))
    process.terminate()

    output, _ = process.communicate(timeout=LIMIT_S)
    records = [json.loads(line) for line in output.splitlines()]
    assert any("config loaded" in json.dumps(record) for record in records), output
