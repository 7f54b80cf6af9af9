"""The scripted upstream: a Messages API on loopback that answers by script and records.

One thread a connection, HTTP/1.1 with keep-alive, answers chunked and flushed event by event.
`play(script)` forgets the recording and sets who answers from then on. It is named as the HTTPS
proxy of the client, too: a `CONNECT` is refused and recorded as a call to the outside.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from acceptance.claude_code.answers import Answer

# A client that keeps a connection open without using it holds one thread; no play takes longer.
IDLE_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    answered: str

    def fields(self) -> dict[str, Any]:
        """The body read as a JSON object."""
        fields: dict[str, Any] = json.loads(self.body)
        return fields


Script = Callable[[Recorded, int], Answer]
"""Answer a request, given how many the same play has seen before it on the same path."""


def nobody(_: Recorded, __: int) -> Answer:
    """Refuse to answer: no play is on."""
    raise LookupError("no script is being played")


@dataclass(slots=True)
class Play:
    """What happens between two calls of `ScriptedUpstream.play`."""

    script: Script
    requests: list[Recorded] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Recorded) -> Answer:
        """Record a request and let the script answer it."""
        with self.lock:
            earlier = sum(_path(other.target) == _path(request.target) for other in self.requests)
            answer = self.script(request, earlier)
            self.requests.append(
                Recorded(
                    request.method, request.target, request.headers, request.body, answer.label
                )
            )
            return answer

    def refuse(self, request: Recorded) -> None:
        """Record a request that gets no answer of the script."""
        with self.lock:
            self.requests.append(request)


def _path(target: str) -> str:
    return target.partition("?")[0]


class ScriptedUpstream:
    """Serves from construction until `close`."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def play(self, script: Script) -> Play:
        """Let `script` answer from now on; the returned play collects the requests."""
        self._server.on_stage = Play(script)
        return self._server.on_stage

    def close(self) -> None:
        """Stop listening. Open connections end with the program."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # 25 `count_tokens` come over as many connections at once.
    request_queue_size = 128
    on_stage = Play(nobody)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent where a client left: the judge looks at what was recorded."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the recording is the log."""

    def do_CONNECT(self) -> None:
        """Refuse to carry anything to the outside."""
        self.server.on_stage.refuse(self._recorded(b""))
        self.send_error(502)

    def do_POST(self) -> None:
        """Answer by script."""
        self._by_script(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def do_GET(self) -> None:
        """Answer by script."""
        self._by_script(b"")

    def do_HEAD(self) -> None:
        """Answer the warm-up, which no script is asked about."""
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def _by_script(self, body: bytes) -> None:
        request = self._recorded(body)
        try:
            answer = self.server.on_stage.answer(request)
        except LookupError as error:
            self.server.on_stage.refuse(request)
            self.send_error(501, str(error))
            return
        self.send_response(200)
        self.send_header("content-type", answer.content_type)
        self.send_header("request-id", f"req_{answer.label}")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in answer.chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if answer.is_cut:
            self._cut()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _recorded(self, body: bytes) -> Recorded:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Recorded(self.command, self.path, headers, body, answered="")
