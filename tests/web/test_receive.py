"""A request taken off the wire: its headers, its path, and its body, whole or not at all (4.6)."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import IterUnreader

from relay.clock import SystemClock
from relay.config.loading import load
from relay.config.model import ServerConfig
from relay.errors import BodyTooLarge, BodyTooSlow, ClientLeft, InvalidRequest
from relay.web.receive import body_of, headers_of, path_of
from tests.web.driving import environ

Pieces = list[bytes]


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> ServerConfig:
    path = Path(tmp_path_factory.mktemp("limits")) / "config.yaml"
    path.write_text(
        "server: {listen: '127.0.0.1:0', max_body_bytes: 100, body_timeout_ms: 1000}\n"
        "providers: [{name: p, type: anthropic}]\n"
    )
    return load(path, {}).server


class Requested:
    """What gunicorn's chunked reader wants to know of its request."""

    limit_request_field_size = 8190
    max_buffer_headers = 65536
    trailers: Any = ()

    def parse_headers(self, data: bytes, *, from_trailer: bool) -> list[tuple[str, str]]:
        assert from_trailer
        return [("TRAILER", data.decode())]


def chunked(*pieces: bytes) -> Body:
    """gunicorn's own reader, over what arrives."""
    return Body(ChunkedReader(Requested(), IterUnreader(iter(pieces))))


def with_length(length: int, *pieces: bytes) -> Body:
    return Body(LengthReader(IterUnreader(iter(pieces)), length))


def read(stream: object, limits: ServerConfig, length: int | None = None) -> bytes:
    given = {"wsgi.input": stream, "wsgi.input_terminated": True}
    headers = {} if length is None else {"content-length": str(length)}
    return body_of(given, headers, limits, SystemClock())


def as_chunks(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


# The body


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_body_up_to_the_limit_is_read_whole(limits: ServerConfig, size: int) -> None:
    body = bytes(range(100))[:size]

    assert read(with_length(size, body[:3], body[3:]), limits, size) == body
    assert read(chunked(as_chunks(body)), limits) == body


def test_a_length_over_the_limit_is_refused_unread(limits: ServerConfig) -> None:
    with pytest.raises(BodyTooLarge, match="100 bytes"):
        read(None, limits, 101)


@pytest.mark.parametrize("size", [101, 5000])
def test_a_chunked_body_over_the_limit_is_refused(limits: ServerConfig, size: int) -> None:
    with pytest.raises(BodyTooLarge):
        read(chunked(as_chunks(b"x" * size)), limits)


def test_an_endless_chunked_body_is_read_no_further_than_needed(limits: ServerConfig) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1000
            yield b"3e8\r\n" + b"x" * 1000 + b"\r\n"

    with pytest.raises(BodyTooLarge):
        read(Body(ChunkedReader(Requested(), IterUnreader(endless()))), limits)

    assert sent < 200_000


def test_without_a_limit_any_size_is_read(limits: ServerConfig) -> None:
    unlimited = replace(limits, max_body_bytes=0)
    body = b"0123456789abcdef" * 20_000

    assert read(chunked(as_chunks(body, 50_000)), unlimited) == body
    assert read(with_length(len(body), body), unlimited, len(body)) == body


@pytest.mark.parametrize("length", [1, 60, 100])
def test_a_body_shorter_than_its_length_is_refused(limits: ServerConfig, length: int) -> None:
    body = b"x" * (length - 1)

    with pytest.raises(InvalidRequest, match=f"ended after {length - 1} of {length} bytes"):
        read(with_length(length, body), limits, length)


def test_bytes_behind_the_length_are_left_alone(limits: ServerConfig) -> None:
    assert read(with_length(3, b"abcGET / HTTP/1.1"), limits, 3) == b"abc"


def test_a_request_with_neither_length_nor_chunks_has_no_body(limits: ServerConfig) -> None:
    assert body_of({"wsgi.input": None}, {}, limits, SystemClock()) == b""


MALFORMED: Mapping[str, bytes] = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a size that is none": b"xyz\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "no line end behind a chunk": b"3\r\nabcX0\r\n\r\n",
    "an end within the trailer": b"3\r\nabc\r\n0\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_chunks_are_refused(limits: ServerConfig, what: str) -> None:
    with pytest.raises(InvalidRequest, match="malformed request body: "):
        read(chunked(MALFORMED[what]), limits)


@pytest.mark.parametrize("came", [b"", b"5", b"5\r\n", b"5\r\nab", b"5\r\nabcde\r\n"])
def test_a_client_that_leaves_within_a_chunked_body_has_left(
    limits: ServerConfig, came: bytes
) -> None:
    with pytest.raises(ClientLeft) as raised:
        read(chunked(came), limits)

    assert isinstance(raised.value.__cause__, NoMoreData)


def test_trailers_and_extensions_of_chunks_are_no_body(limits: ServerConfig) -> None:
    assert read(chunked(b"3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), limits) == b"abc"


class Slow:
    """A stream whose every read takes its time."""

    def __init__(self, each_s: float, pieces: Pieces) -> None:
        self._each_s = each_s
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        gevent.sleep(self._each_s)
        return self._pieces.pop(0) if self._pieces else b""


def test_a_body_that_takes_too_long_is_refused(limits: ServerConfig) -> None:
    hasty = replace(limits, body_timeout_ms=60)

    with pytest.raises(BodyTooSlow):
        read(Slow(5, [b"x"]), hasty, 10)


def test_pauses_between_the_pieces_count_together(limits: ServerConfig) -> None:
    hasty = replace(limits, body_timeout_ms=60)

    with pytest.raises(BodyTooSlow):
        read(Slow(0.02, [b"x"] * 10), hasty, 10)


def test_what_has_come_buys_more_time(limits: ServerConfig) -> None:
    hasty = replace(limits, body_timeout_ms=60, max_body_bytes=0)
    pieces = [b"x" * 16_384] * 4

    assert len(read(Slow(0.04, pieces), hasty, 4 * 16_384)) == 4 * 16_384


def test_no_timer_is_left_running_behind_a_body(limits: ServerConfig) -> None:
    read(with_length(3, b"abc"), replace(limits, body_timeout_ms=30), 3)

    gevent.sleep(0.05)  # a timer that was left would raise here


# Headers and paths


def test_headers_are_named_in_lower_case_with_dashes() -> None:
    given = environ("POST", "/", b"ab", {"X-Custom-Name": "v", "x-api-key": "k"})

    assert headers_of(given) == {
        "host": "relay.test",
        "x-custom-name": "v",
        "x-api-key": "k",
        "content-type": "application/json",
        "content-length": "2",
    }


def test_headers_a_client_did_not_send_are_absent() -> None:
    given = environ("GET", "/") | {"CONTENT_TYPE": "", "CONTENT_LENGTH": ""}

    assert set(headers_of(given)) == {"host"}


PATHS: Mapping[str, str] = {
    "/v1/files": "/v1/files",
    "/v1/files/": "/v1/files",
    "//v1///files//x/": "/v1/files/x",
    "/v1/files/a%2Fb": "/v1/files/a%2Fb",
    "/v1/files/%e4%b8%ad%20x": "/v1/files/%e4%b8%ad%20x",
    "/v1/files?x=/../y": "/v1/files",
    "/v1/files?": "/v1/files",
    "/v1/..files/x..": "/v1/..files/x..",
    "/v1/files/...": "/v1/files/...",
    "http://relay.test/v1/files/%41": "/v1/files/%41",
    "http://relay.test": "/",
    "/": "/",
}


@pytest.mark.parametrize("raw", PATHS)
def test_a_path_keeps_its_encoding_and_loses_doubled_slashes(raw: str) -> None:
    assert path_of({"RAW_URI": raw, "PATH_INFO": "/other"}) == PATHS[raw]


@pytest.mark.parametrize(
    "raw",
    [
        "/v1/../admin",
        "/v1/files/..",
        "/v1/./files",
        "/v1/files/.",
        "/v1/%2e%2e/admin",
        "/v1/%2E%2e/admin",
        "/v1/.%2E/admin",
        "/v1/%2e/files",
        "//..//v1/files",
        "http://relay.test/v1/../x",
    ],
)
def test_a_path_that_climbs_is_refused(raw: str) -> None:
    with pytest.raises(InvalidRequest, match="segments"):
        path_of({"RAW_URI": raw, "PATH_INFO": "/v1/files"})


@pytest.mark.parametrize("without", [lambda raw: {"REQUEST_URI": raw}, lambda _: {}])
def test_other_servers_name_the_path_elsewhere(without: Callable[[str], dict[str, str]]) -> None:
    assert path_of(without("/v1/x") | {"PATH_INFO": "/v1/x"}) == "/v1/x"


def test_a_plain_stream_without_an_end_of_its_own_is_read_by_length(limits: ServerConfig) -> None:
    given = {"wsgi.input": io.BytesIO(b"abcdef")}

    assert body_of(given, {"content-length": "4"}, limits, SystemClock()) == b"abcd"
