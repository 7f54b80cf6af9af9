"""Serving is gunicorn's own, only cheaper: the same requests bring the same bytes from both."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scripted.relay import ROOT
from tests.scripted.waiting import until
from tests.web import probe

QUIET_S = 0.15
_LISTENS = re.compile(rb"Listening at: http://127\.0\.0\.1:(\d+)")
_DATE = re.compile(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")

REQUESTS: dict[str, bytes] = {
    "plain": b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n",
    "query": b"GET /a%20b/%C3%A9//c;d?x=1&y=%20 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "bytes in the path": b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute": b"GET http://other/show?q HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "body": b"POST /show HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Type: x/y\r\n\r\nabc",
    "chunks": b"POST /show HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n",
    "continue": b"POST /show HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "repeated": b"GET /show HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nX-A: 3\r\n\r\n",
    "two types": b"GET /show HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
    "values": b"GET /show HTTP/1.1\r\nHost: a\r\nX-Tab: a\tb\r\nX-Latin: \xe9\r\nX-Empty:\r\n\r\n",
    "underscores": b"GET /show HTTP/1.1\r\nHost: a\r\nX_A: 1\r\nSCRIPT_NAME: /show\r\n\r\n",
    "script name": b"GET /show HTTP/1.1\r\nHost: a\r\nScript-Name: /show\r\n\r\n",
    "http 1.0": b"GET /show HTTP/1.0\r\n\r\n",
    "http 1.0, kept alive": b"GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "http 1.0, no length": b"GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "close": b"GET /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "head": b"HEAD /length HTTP/1.1\r\nHost: a\r\n\r\n",
    "head of chunks": b"HEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n",
    "no request": b"nonsense\r\n\r\n",
    "two": b"GET /chunked HTTP/1.1\r\nHost: a\r\n\r\nGET /length HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unread body": b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n",
} | {
    name: f"GET /{name.replace(' ', '%20')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for name in probe._ANSWERS  # noqa: SLF001  one list of them
}


@dataclass(frozen=True)
class Served:
    """A gunicorn, and what it has logged."""

    port: int
    log: Path
    pid: int


def answers(servers: Sequence[Served], sent: bytes) -> list[bytes]:
    """Everything that comes from each for these bytes, until all are quiet or have ended."""
    came: dict[socket.socket, bytes] = {}
    with contextlib.ExitStack() as stack:
        for served in servers:
            connection = socket.create_connection(("127.0.0.1", served.port), 5)
            came[stack.enter_context(connection)] = b""
            connection.sendall(sent)
        is_open = set(came)
        while ready := select.select(is_open, [], [], QUIET_S)[0] if is_open else []:
            for connection in ready:
                piece = connection.recv(65536)
                came[connection] += piece or b"<closed>"
                if not piece:
                    is_open.discard(connection)
    return list(came.values())


@contextlib.contextmanager
def gunicorn(folder: Path, *, lean: bool, errors: Path | None = None) -> Iterator[Served]:
    settings, log = folder / "settings.py", folder / "log"
    folder.mkdir()
    hook = "from tests.web.probe import lean as post_worker_init" if lean else ""
    settings.write_text(
        f"{hook}\nworkers = 1\nkeepalive = 5\naccesslog = '-'\n"
        + (f"errorlog = {str(errors)!r}\n" if errors else "")
    )
    command = ["-m", "gunicorn", "-k", "gevent", "-c", str(settings), "-b", "127.0.0.1:0"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command, "tests.web.probe:application"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=out,
        )
    try:
        told = errors or log
        until("gunicorn has a log", told.exists, 15)
        listens = until("gunicorn listens", lambda: _LISTENS.search(told.read_bytes()), 15)
        served = Served(int(listens[1]), log, process.pid)
        until("a worker answers", lambda: answers([served], REQUESTS["plain"])[0], 15)
        yield served
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    folder = tmp_path_factory.mktemp("served")
    with (
        gunicorn(folder / "own", lean=False) as own,
        gunicorn(folder / "lean", lean=True) as lean,
    ):
        yield own, lean


@pytest.mark.parametrize("name", REQUESTS)
def test_it_brings_what_gunicorn_brings(both: tuple[Served, Served], name: str) -> None:
    own, lean = (_DATE.sub(b"<date>", came) for came in answers(both, REQUESTS[name]))

    assert lean == own
    if name != "head of chunks":
        assert own


def test_it_logs_what_gunicorn_logs(both: tuple[Served, Served]) -> None:
    answers(both, b"GET /length?logged HTTP/1.1\r\nHost: a\r\n\r\n")
    answers(both, b"GET /breaks?logged HTTP/1.1\r\nHost: a\r\n\r\n")
    for served in both:
        text = served.log.read_text()
        assert '"GET /length?logged HTTP/1.1" 200 3 ' in text
        assert '"GET /breaks?logged HTTP/1.1" 200 5 ' in text
        assert "ValueError: on purpose" in text


def test_a_log_that_was_rotated_is_written_anew(tmp_path: Path) -> None:
    errors, old = tmp_path / "errors", tmp_path / "errors.1"
    with gunicorn(tmp_path / "served", lean=True, errors=errors) as served:
        asked = b"GET /says HTTP/1.1\r\nHost: a\r\n\r\n"
        until("the worker answers", lambda: answers([served], asked)[0].endswith(b"said"))
        errors.rename(old)
        os.kill(served.pid, signal.SIGUSR1)
        until("the master has opened it", errors.exists)

        def is_said() -> bool:
            answers([served], asked)
            return "said" in errors.read_text().splitlines()

        until("the worker, too", is_said)
