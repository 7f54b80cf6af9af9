"""`status` against real sockets: relays, others, and nobody."""

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay import __version__
from tests.cli.conftest import MINIMAL, Process, Run
from tests.cli.peers import answers, free_port, http, peer

OK = http(200, b'{"status":"ok"}')
READY = http(200, b'{"status":"ready"}')
RESTING = http(503, b'{"status":"not ready","reasons":["one: every key is resting"]}')
MODELS = http(200, b'{"data":[{"id":"m","created_at":"2026-11-25T03:04:05Z"}]}')

Configured = Callable[[int], None]


@pytest.fixture
def configured(home: Path) -> Configured:
    """A configuration that listens on that port."""

    def write(port: int) -> None:
        (home / "config.yaml").write_text(MINIMAL.replace("8787", str(port)))

    return write


def test_a_relay_that_is_ready(run: Run, configured: Configured) -> None:
    with peer(answers(health=OK, health_ready=READY)) as port:
        configured(port)
        result = run("status")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"cc-relay is running (127.0.0.1:{port})\n"


def test_a_relay_that_is_not_ready_says_why(run: Run, configured: Configured) -> None:
    with peer(answers(health=OK, health_ready=RESTING)) as port:
        configured(port)
        result = run("status")

    assert result.exit_code == 1
    assert result.stdout == (
        f"cc-relay is running (127.0.0.1:{port})\nnot ready: one: every key is resting\n"
    )


@pytest.mark.parametrize(
    "health",
    [
        http(200, b'{"status":"ok"}', ours=False),
        http(200, b'{"status":"ok","more":1}'),
        http(200, b"ok", "text/plain"),
        http(200, b"[" * 100_000),
        http(404, b"<html>not found</html>", "text/html"),
        http(302, b"", extra="location: /login\r\n"),
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_an_answer_that_is_not_the_relays_is_shown(
    run: Run, configured: Configured, health: bytes
) -> None:
    with peer(answers(health=health)) as port:
        configured(port)
        result = run("status")

    assert (result.exit_code, result.stderr) == (1, "")
    assert f"127.0.0.1:{port} answers, but it is not cc-relay" in result.stdout


def test_what_a_stranger_sends_does_not_reach_the_terminal_as_it_is(
    run: Run, configured: Configured
) -> None:
    evil = http(503, json.dumps({"reasons": ["\x1b[2Jone: down\nspoofed"]}).encode())
    with peer(answers(health=OK, health_ready=evil)) as port:
        configured(port)
        result = run("status")

    assert "\x1b" not in result.stdout
    assert result.stdout.splitlines()[1:] == ["not ready:  [2Jone: down spoofed"]


def test_nobody_there_is_exit_code_3(run: Run, configured: Configured) -> None:
    port = free_port()
    configured(port)

    result = run("status")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (f"cc-relay cannot be reached (127.0.0.1:{port}): connection refused\n")


def test_a_silent_peer_cannot_hang_it(process: Process, configured: Configured) -> None:
    def silent(_sock: socket.socket, _request: bytes, over: threading.Event) -> None:
        over.wait(20)

    with peer(silent) as port:
        configured(port)
        start = time.monotonic()
        ended = process("status")
        took = time.monotonic() - start

    assert ended.returncode == 3
    assert ended.stderr.endswith("no answer within 5 s\n")
    assert took < 8


def test_it_needs_no_more_than_the_address(run: Run, home: Path) -> None:
    with peer(answers(health=OK, health_ready=READY)) as port:
        (home / "config.yaml").write_text(
            f"server: {{listen: '0.0.0.0:{port}'}}\n"  # refused by serve: nobody authenticates
            "providers:\n  - {name: z, type: zai, keys: [{key: '${UNSET}'}]}\n"
        )
        result = run("status")

    assert result.exit_code == 0
    assert result.stdout == f"cc-relay is running (127.0.0.1:{port})\n"


@pytest.mark.parametrize("host", ["", "0.0.0.0", "localhost", "127.0.0.1"])
def test_an_address_for_everybody_is_dialled_over_loopback(run: Run, home: Path, host: str) -> None:
    with peer(answers(health=OK, health_ready=READY)) as port:
        (home / "config.yaml").write_text(f"server: {{listen: '{host}:{port}'}}\n")
        assert run("status").exit_code == 0


def test_json_is_one_document_with_everything(run: Run, configured: Configured, home: Path) -> None:
    with peer(answers(health=OK, health_ready=RESTING, v1_models=MODELS)) as port:
        configured(port)
        result = run("status", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "running": True,
        "ready": False,
        "address": f"127.0.0.1:{port}",
        "version": __version__,
        "reasons": ["one: every key is resting"],
        "config": {
            "path": str(home / "config.yaml"),
            "loaded_at": "2026-11-25T03:04:05Z",
            "error": None,
        },
    }


def test_json_of_nobody_is_a_document_too(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(f"server: {{listen: '127.0.0.1:{free_port()}'}}\n")

    result = run("status", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (report["running"], report["ready"]) == (False, False)
    assert "no enabled provider found" in report["config"]["error"]
    assert report["reasons"] == ["connection refused"]


def test_json_of_somebody_else_is_a_document_too(run: Run, configured: Configured) -> None:
    with peer(answers(health=http(404, b"no", "text/plain"))) as port:
        configured(port)
        result = run("status", "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["running"], report["ready"]) == (1, False, False)
    assert report["reasons"] == ["HTTP 404, text/plain: 'no'"]


def test_port_0_is_explained(run: Run, configured: Configured) -> None:
    configured(0)

    result = run("status")

    assert result.exit_code == 3
    assert "port 0" in result.stderr
