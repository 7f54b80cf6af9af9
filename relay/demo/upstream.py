"""The made-up provider as a server on loopback: `python -m relay.demo.upstream`.

Prints the address it listens on, then serves until it is ended. A thread for each connection, the
standard library alone: it must not share a fault with the relay that it is there to show.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from relay.demo import answer
from relay.demo.answer import BadRequest, Question

PAUSE_S: Final = 0.05
"""Between two pieces of a stream: slow enough to be seen coming one by one."""

# The most a relay lets through by default; more is no demonstration.
_MAX_BODY_BYTES: Final = 32 << 20


class Upstream(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "cc-relay-demo"
    timeout = 120  # seconds of silence before an idle connection is closed
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a question, or count its tokens."""
        path = urlsplit(self.path).path
        try:
            question = Question.of(self._body())
        except BadRequest as error:
            self._say(400, answer.error("invalid_request_error", str(error)))
            return
        if path == "/v1/messages/count_tokens":
            self._say(200, {"input_tokens": question.input_tokens})
        elif path != "/v1/messages":
            self._say(404, answer.error("not_found_error", f"no {path} here"))
        elif question.stream:
            self._stream(question)
        else:
            self._say(200, answer.message(question))

    def do_GET(self) -> None:
        """There is nothing to get."""
        self._say(404, answer.error("not_found_error", "only POST /v1/messages is here"))

    def log_message(self, format: str, *args: Any) -> None:
        """The relay's own log is what is to be seen."""

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length[:12]) > _MAX_BODY_BYTES:
            self.close_connection = True  # what follows cannot be told from a next request
            raise BadRequest("content-length: must say how much, up to 32 MiB")
        return self.rfile.read(int(length))

    def _say(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, question: Question) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for event in answer.events(question):
                piece = answer.written(event)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if event["type"] == "content_block_delta":
                    time.sleep(PAUSE_S)
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.close_connection = True  # the relay has cancelled, because its client left


class Server(ThreadingHTTPServer):
    """Any free port of loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Upstream)


def main() -> None:
    """Serve until the process is ended."""
    with Server() as server:
        sys.stdout.write(f"127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
