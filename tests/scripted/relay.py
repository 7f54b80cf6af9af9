"""Relay: the program under test, as a user starts it — `gunicorn -k gevent wsgi:app`.

A configuration is a plain mapping, written as YAML. `reload` rewrites it and returns when every
worker has it in force; `connect(worker=…)` opens a connection to one chosen worker.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.scripted import processes
from tests.scripted.client import MSG, Connection, Cut, Headers, Response
from tests.scripted.waiting import until

ROOT: Final = Path(__file__).resolve().parents[2]
_STARTS_WITHIN_S: Final = 20.0
_RELOADS_WITHIN_S: Final = 5.0
_PORT_TRIES: Final = 3


class Relay:
    """One running relay, in a process group of its own."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        workers: int = 2,
        environ: Mapping[str, str] | None = None,
        file_name: str = "config.yaml",
        template: str | None = None,
    ) -> None:
        """`template` is the file's text with `{port}` in it, where a mapping cannot say it."""
        self.folder = folder
        self.path = folder / file_name
        self.log = folder / "relay.log"
        self.port = 0
        self._config = config
        self._template = template
        self._workers = workers
        self._environ = dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: list[Connection] = []
        self._generation = 0
        self._is_changed = False

    def __enter__(self) -> Self:
        try:
            for _ in range(_PORT_TRIES):  # somebody else may take the port meanwhile
                if self._start():
                    return self
        except AssertionError as late:
            self.stop()
            raise AssertionError(f"{late}\n{self.output()}") from None
        raise AssertionError(f"the relay does not start\n{self.output()}")

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return processes.children(self.pid)

    def _start(self) -> bool:
        self.port = _free_port()
        if self._template is None:
            self.write(self._config)
        else:
            self.path.write_text(self._template.replace("{port}", str(self.port)))
        self._is_changed = False
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith("CC_RELAY_")
        }
        environ |= {
            "CC_RELAY_CONFIG": str(self.path),
            "CC_RELAY_STATE_DIR": str(self.folder / "state"),
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-k", "gevent", "wsgi:app"],
                cwd=ROOT,
                env=environ | self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until("the relay answers or ends", self._answers_or_ended, _STARTS_WITHIN_S)
        if self._process.poll() is not None:
            return False
        until("all workers run", lambda: len(self.workers) == self._workers)
        return True

    def _answers_or_ended(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        with contextlib.suppress(OSError, Cut), Connection(self.port) as connection:
            return connection.ask("GET", "/health").status == 200
        return False

    def stop(self, within_s: float = 10.0) -> int:
        """End it by SIGTERM, by SIGKILL where that does not help; its exit code."""
        self.hang_up()
        self.terminate()
        assert self._process is not None
        if self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait(5)

    def terminate(self) -> None:
        """Send SIGTERM and do not wait."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, within_s: float) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(within_s)

    def connect(self, worker: int | None = None) -> Connection:
        """A new connection, to one chosen worker if asked; closed at the end of the test."""
        if worker is None:
            connection = Connection(self.port)
        else:
            others = [pid for pid in self.workers if pid != worker]
            with processes.paused(others):
                connection = Connection(self.port)
                until(
                    "the worker takes the connection",
                    lambda: processes.peer_of(connection.socket, [worker]),
                )
        self._connections.append(connection)
        return connection

    def hang_up(self) -> None:
        """Close every connection made by `connect`."""
        while self._connections:
            self._connections.pop().close()

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Headers = ()
    ) -> Response:
        """One request on a connection of its own."""
        return self.connect().ask(method, target, body, headers)

    def get(self, target: str, headers: Headers = ()) -> Response:
        """`GET` on a connection of its own."""
        return self.ask("GET", target, None, headers)

    def post(
        self, body: bytes = MSG, headers: Headers = (), target: str = "/v1/messages"
    ) -> Response:
        """`POST`, of a message unless said otherwise."""
        return self.ask("POST", target, body, headers)

    def write(self, config: Mapping[str, Any]) -> None:
        """Put a configuration where the relay looks, in one step."""
        server = {
            "listen": f"127.0.0.1:{self.port}",
            "workers": self._workers,
        } | dict(config.get("server", {}))
        self.write_text(yaml.safe_dump({**config, "server": server}, sort_keys=False))

    def write_text(self, text: str) -> None:
        """Put any text where the configuration stands, in one step."""
        self._is_changed = True
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    def reload(self, config: Mapping[str, Any], headers: Headers = ()) -> None:
        """Write a configuration and wait until every worker has it in force.

        The last enabled provider's list of models gets one more entry, to know the configuration
        by; a test that names no models sees the default ones replaced by it.
        `headers` are those a client needs to be admitted by it.
        """
        self._generation += 1
        mark = f"claude-generation-{self._generation}"
        entries = list(config["providers"])
        last = max(at for at, entry in enumerate(entries) if entry.get("enabled", True))
        entries[last] = {**entries[last], "models": [*entries[last].get("models", []), mark]}
        self.write({**config, "providers": entries})
        self.wait_for_model(mark, headers)

    def restore(self) -> None:
        """Put the configuration it began with in force again, if a test changed it."""
        if self._is_changed:
            self.reload(self._config)
            self._is_changed = False

    def wait_for_model(self, model: str, headers: Headers = ()) -> None:
        """Wait until every worker lists this model."""
        for worker in self.workers:
            with self.connect(worker) as connection:
                until(
                    f"worker {worker} lists {model}",
                    lambda asked=connection: _lists(asked, model, headers),  # type: ignore[misc]  # bound early, on purpose
                    _RELOADS_WITHIN_S,
                )

    def output(self) -> str:
        """Everything it wrote to stdout and stderr."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def records(self, since: int = 0) -> Iterator[dict[str, Any]]:
        """Its log records, those after the first `since` bytes of output."""
        written = self.output()[since:]
        for line in written[: written.rfind("\n") + 1].splitlines():  # the last may be half a line
            if line.startswith("{"):
                yield json.loads(line)

    def record_of(self, request_id: str) -> dict[str, Any]:
        """The record of one ended exchange, once it is there."""
        return until(
            f"the log record of {request_id}",
            lambda: next(
                (
                    record
                    for record in self.records()
                    if record.get("request_id") == request_id and "duration_ms" in record
                ),
                None,
            ),
        )


def _lists(connection: Connection, model: str, headers: Headers) -> bool:
    answer = connection.ask("GET", "/v1/models", None, headers)
    listed = answer.content
    return answer.status == 200 and f'"{model}"'.encode() in listed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
