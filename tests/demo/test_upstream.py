"""The made-up provider on a real socket."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from relay.demo.upstream import Server

BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Why?"}]}


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    """A connection to a server that is ended afterwards."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        yield client
        client.close()
        server.shutdown()
        thread.join(10)


def _post(
    connection: http.client.HTTPConnection, path: str, body: object
) -> http.client.HTTPResponse:
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    return connection.getresponse()


def test_a_stream_comes_piece_by_piece(connection: http.client.HTTPConnection) -> None:
    start = time.monotonic()
    response = _post(connection, "/v1/messages?beta=true", {**BODY, "stream": True})
    first = response.readline()
    first_s = time.monotonic() - start
    rest = response.read()
    whole_s = time.monotonic() - start

    assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert first == b"event: message_start\n"
    assert rest.endswith(b'event: message_stop\ndata: {"type": "message_stop"}\n\n')
    assert whole_s - first_s > 0.2  # five pieces with pauses between them


def test_one_connection_serves_several_requests(connection: http.client.HTTPConnection) -> None:
    message = json.load(_post(connection, "/v1/messages", BODY))
    count = json.load(_post(connection, "/v1/messages/count_tokens", BODY))
    stream = _post(connection, "/v1/messages", {**BODY, "stream": True}).read()
    unknown = _post(connection, "/v1/files", BODY)
    error = json.load(unknown)

    assert message["content"][0]["text"].startswith("Hello")
    assert count["input_tokens"] > 0
    assert stream.endswith(b"\n\n")
    assert (unknown.status, error["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("headers", [{}, {"content-length": "x"}, {"content-length": "9" * 30}])
def test_a_body_of_unknown_or_absurd_length_is_refused(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    connection.putrequest("POST", "/v1/messages")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()

    response = connection.getresponse()
    assert (response.status, json.load(response)["error"]["type"]) == (400, "invalid_request_error")


def test_as_a_program_it_prints_its_address_and_serves() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "relay.demo.upstream"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        host, port = process.stdout.readline().strip().split(":")
        client = http.client.HTTPConnection(host, int(port), timeout=10)
        client.request("GET", "/")
        status = client.getresponse().status
        client.close()
        process.terminate()
        process.wait(10)

    assert status == 404
