"""Run the relay as users do: real `gunicorn -k gevent wsgi:app` over a configuration of its own.

Everything it writes (configuration, state, log) lies in the folder it is given. The process is
ready once `/health` answers, and gone after `close`; nothing else is ever signalled.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[1]
UPSTREAM_KEY: Final = "sk-bench-upstream-key-0123456789"
"""The configured credential: what the upstream has to see instead of the client's."""
START_LIMIT_S: Final = 20.0
STOP_LIMIT_S: Final = 10.0
LOOK_S: Final = 0.005
"""Between two looks whether it answers: how exactly its start is timed."""


class RelayProcess:
    """A relay in front of one `anthropic` provider at `base_url`, from construction to `close`."""

    def __init__(  # noqa: PLR0913 - each is a setting of its own, named at the call
        self,
        folder: Path,
        base_url: str,
        *,
        workers: int = 2,
        core: int | None = None,
        provider: Mapping[str, object] | None = None,
        app: str = "wsgi:app",
    ) -> None:
        """Start and wait; `provider` adds settings, `core` pins all its processes."""
        self._port = free_port()
        self._log = folder / "relay.log"
        config = folder / "config.yaml"
        config.write_text(
            json.dumps(
                {
                    "server": {"listen": f"127.0.0.1:{self._port}", "workers": workers},
                    "providers": [
                        {
                            "name": "scripted",
                            "type": "anthropic",
                            "base_url": base_url,
                            "keys": [{"key": UPSTREAM_KEY}],
                            **(provider or {}),
                        }
                    ],
                }
            )
        )
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        gunicorn = [str(Path(sys.executable).parent / "gunicorn"), "-k", "gevent", app]
        self.started_at = time.monotonic()
        self._process = _start(pinned + gunicorn, folder, config, self._log)
        try:
            self._wait_until_ready()
        except BaseException:  # whatever it is, nothing is left behind
            self.close()
            raise
        self.healthy_at = time.monotonic()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The same as a number."""
        return self._port

    @property
    def pid(self) -> int:
        """The master process; `taskset` becomes it by exec."""
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """The master's children as they are now."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it and its workers; once it has ended, nothing happens.

        Not by asking: there is nothing to save, and a worker looks up only each second.
        """
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own
            self._process.wait(timeout=STOP_LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            if is_answering(f"{self.url}/health"):
                return
            time.sleep(LOOK_S)
        raise RuntimeError(f"the relay did not start; its log ends:\n{self.log()[-3000:]}")


def is_answering(url: str) -> bool:
    """Whether a GET of this URL is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - always http
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _start(
    command: Sequence[str], folder: Path, config: Path, log: Path
) -> subprocess.Popen[bytes]:
    own = {
        "HOME": str(folder),
        "CC_RELAY_CONFIG": str(config),
        "CC_RELAY_STATE_DIR": str(folder / "state"),
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a group of its own, so that killing it kills nobody else
        )
