"""Servers: the application under each server it may stand under, one process each.

All of them choose a free port and name it in what they write. `Relay` is gunicorn with more to it:
reloads, workers to choose from.
"""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.scripted import processes
from tests.scripted.client import Connection
from tests.scripted.relay import ROOT
from tests.scripted.waiting import until

_CERTIFICATES: Final = ROOT / "tests" / "upstream" / "certificates"
_STARTS_WITHIN_S: Final = 20.0
_ADDRESS: Final = re.compile(r"https?://127\.0\.0\.1:(\d+)")
_PYWSGI: Final = """
from gevent import monkey
monkey.patch_all()
from gevent.pywsgi import WSGIServer
from wsgi import app
server = WSGIServer(("127.0.0.1", 0), app, log=None)
server.start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one server is started in the repository's root."""

    name: str
    arguments: tuple[str, ...]
    """For Python."""
    forks: bool = False
    """One worker does the work, a child."""
    encrypts: bool = False


_GUNICORN: Final = ("-m", "gunicorn", "-k", "gevent", "wsgi:app")
_PEM: Final = str(_CERTIFICATES / "good.pem")

GUNICORN: Final = Kind("gunicorn", _GUNICORN, forks=True)
GUNICORN_TLS: Final = Kind(
    "gunicorn with TLS",
    (*_GUNICORN, "--certfile", _PEM, "--keyfile", _PEM),
    forks=True,
    encrypts=True,
)
PYWSGI: Final = Kind("gevent.pywsgi", ("-c", _PYWSGI))
FLASK: Final = Kind("flask run", ("-m", "flask", "--app", "wsgi:app", "run", "--port", "0"))


def named(value: object) -> str | None:
    """A server's name as a test's id."""
    return value.name if isinstance(value, Kind) else None


class Encrypted(Connection):
    """A connection over TLS to a server that has the certificate of these tests."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.socket = encrypted(self.socket)


def encrypted(plain: socket.socket) -> ssl.SSLSocket:
    """The client's side of TLS over a connected socket; the certificate is checked."""
    context = ssl.create_default_context(cafile=str(_CERTIFICATES / "ca.pem"))
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


class Served:
    """One running server with one worker, in a process group of its own."""

    def __init__(self, kind: Kind, folder: Path, config: Mapping[str, Any]) -> None:
        self.kind = kind
        self.port = 0
        self._log = folder / "log"
        path = folder / "config.yaml"
        server = {"listen": "127.0.0.1:0", "workers": 1} | dict(config.get("server", {}))
        path.write_text(yaml.safe_dump({**config, "server": server}))
        environ = {name: value for name, value in os.environ.items() if "CC_RELAY" not in name}
        environ |= {"CC_RELAY_CONFIG": str(path), "CC_RELAY_STATE_DIR": str(folder / "state")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *kind.arguments],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Wait for its port. Several may be made first, to start side by side."""
        try:
            self.port = until(f"{self.kind.name} listens", self._listens, _STARTS_WITHIN_S)
            until(f"{self.kind.name} has its worker", lambda: self.worker, _STARTS_WITHIN_S)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def worker(self) -> int:
        """The process that serves; 0 where it is not there yet."""
        if not self.kind.forks:
            return self._process.pid
        return next(iter(processes.children(self._process.pid)), 0)

    def connect(self) -> Connection:
        """A new connection, which is the caller's to close."""
        return Encrypted(self.port) if self.kind.encrypts else Connection(self.port)

    def stop(self) -> None:
        """End it and what it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(5)

    def output(self) -> str:
        """Everything it wrote."""
        return self._log.read_text(errors="replace")

    def _listens(self) -> int:
        assert self._process.poll() is None, self.output()
        found = _ADDRESS.search(self.output())
        return int(found[1]) if found else 0


@contextmanager
def side_by_side(
    kinds: Iterable[Kind], folder: Path, config: Mapping[str, Any]
) -> Iterator[dict[Kind, Served]]:
    """Several servers of the same configuration, started at the same time."""
    with ExitStack() as stack:
        servers = {}
        for number, kind in enumerate(kinds):
            own = folder / str(number)
            own.mkdir()
            servers[kind] = Served(kind, own, config)
            stack.callback(servers[kind].stop)
        for served in servers.values():
            stack.enter_context(served)
        yield servers
