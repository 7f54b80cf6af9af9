"""Redis: a real `redis-server` on a free port, in a folder of its own, ended by its pid."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

IS_INSTALLED = shutil.which("redis-server") is not None
IS_LEFT_OUT = not IS_INSTALLED and not os.environ.get("CI")
"""In CI it must be there: what is missing fails."""
LEFT_OUT = "redis-server is not installed: the tests over Redis are left out"

_START_S = 10.0
_TRIES = 5


class RedisServer:
    """One server; its port stays the same when it is killed and started again."""

    def __init__(self, *settings: str, tls_settings: Sequence[str] = ()) -> None:
        self._settings = settings
        self._tls_settings = tls_settings
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, and wait until it answers. The first time the port is chosen."""
        if self.port:
            if not self._answers(self.port):
                raise AssertionError(self._log())
            return
        for _ in range(_TRIES):  # another program may be faster in taking a free port
            port = _free_port()
            if self._answers(port):
                self.port = port
                return
        raise AssertionError(self._log())

    def kill(self) -> None:
        """End it at once, as a crash would. Nothing it held is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_START_S)
            self._process = None

    def freeze(self) -> None:
        """Let it keep its connections and not answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self, port: int) -> bool:
        command = ["redis-server", "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        ports = ["--port", "0", "--tls-port"] if self._tls_settings else ["--port"]
        command += [*ports, str(port), *self._tls_settings, *self._settings]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < until:
            if "Ready to accept connections" in self._log():
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def _log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "log").read_text("utf-8", "replace")
        return ""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server with nothing in it: its URL."""
    with RedisServer() as server:
        yield server.url


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def set_clock(client: Any, seconds: float) -> None:
    """Make the next step happen at this moment of the store."""
    client.set("cc-relay:clock", struct.pack("<qq", round(seconds * 1e6), -(1 << 60)))
