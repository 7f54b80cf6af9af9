"""Passing, compiled and in Python: one and the same, whatever arrives."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.stream import passing
from relay.stream.passing import (
    READ_BYTES,
    Passed,
    is_content,
    is_content_in_python,
    may_pass,
    may_pass_in_python,
    pass_on,
    pass_on_in_python,
)

IS_COMPILED = pass_on is not pass_on_in_python
PassOn = Callable[[int, int], Passed]
EVENT = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0}\n\n'


def frame(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNK = frame(EVENT)
OTHERS = {
    "end": b"",
    "half a chunk": CHUNK[:-1],
    "a chunk and a half": CHUNK + CHUNK[:-1],
    "a chunk and a byte": CHUNK + b"1",
    "a chunk and the end": CHUNK + b"0\r\n\r\n",
    "a chunk and one with usage": CHUNK + frame(b"event: message_delta\n\n"),
    "no end of an event": frame(EVENT[:-1]),
    "capitals": b"A" + frame(b"x" * 8 + b"\n\n")[1:],
    "leading zero": b"0" + CHUNK,
    "sign": b"+" + CHUNK,
    "no hex": b"error\r\n" + EVENT + b"\r\n",
    "one byte": b"1\r\n\n\n\r\n",
    "extension": CHUNK.replace(b"\r\n", b";a\r\n", 1),
    "last chunk": b"0\r\n\r\n",
    "no size": b"\r\n\n\n\r\n",
    "usage": frame(EVENT.replace(b"content_block_delta", b"message_delta")),
    "error": frame(b"event: error\ndata: {}\n\n"),
    "signature": frame(EVENT[:-3] + b',"delta":{"type":"signature_delta"}}\n\n'),
    "beginning of a block": frame(EVENT.replace(b"block_delta", b"block_start")),
    "beginning of a block behind content": frame(EVENT + b"event: content_block_start\n\n"),
}
PARTS = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n\r\n",
        b"0",
        b"4",
        b"a",
        b"A",
        b"10",
        b"message_",
        b"error",
        b"block_start",
        b"signature_",
        b"block",
        b"start",
        b"_",
        EVENT[:68],
        b"\0",
    ]
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket, socket.socket]]:
    """Upstream and what the relay reads from it; what the relay writes to, and the client."""
    upstream, source = socket.socketpair()
    to, client = socket.socketpair()
    with upstream, source, to, client:
        source.setblocking(False)  # noqa: FBT003  its signature
        to.setblocking(False)  # noqa: FBT003
        client.setblocking(False)  # noqa: FBT003
        yield upstream, source, to, client


@pytest.fixture(params=[pass_on_in_python, *([pass_on] if IS_COMPILED else [])])
def passes(request: pytest.FixtureRequest) -> PassOn:
    """Both, where both are there."""
    chosen: PassOn = request.param
    return chosen


Ends = tuple[socket.socket, socket.socket, socket.socket, socket.socket]


def test_where_everything_is_checked_it_is_compiled() -> None:
    assert IS_COMPILED or "CI" not in os.environ


@pytest.mark.parametrize("chunks", [CHUNK, CHUNK * 9, frame(b"\n\n")])
def test_chunks_of_content_pass_as_they_are(ends: Ends, passes: PassOn, chunks: bytes) -> None:
    upstream, source, to, client = ends
    upstream.sendall(chunks)

    assert passes(source.fileno(), to.fileno()) is True
    assert client.recv(READ_BYTES) == chunks
    assert passes(source.fileno(), to.fileno()) is None


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_read_and_not_written(ends: Ends, passes: PassOn, other: bytes) -> None:
    upstream, source, to, client = ends
    upstream.sendall(other)
    if not other:
        upstream.close()

    assert passes(source.fileno(), to.fileno()) == other
    with pytest.raises(BlockingIOError):
        client.recv(1)


@pytest.mark.parametrize("length", [READ_BYTES - 8, READ_BYTES - 7, READ_BYTES])
def test_the_longest_chunk_that_passes_fills_one_read(
    ends: Ends, passes: PassOn, length: int
) -> None:
    upstream, source, to, client = ends
    for each in ends:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * READ_BYTES)
    chunk = frame(b"x" * (length - 2) + b"\n\n")
    upstream.sendall(chunk)
    passed = passes(source.fileno(), to.fileno())

    if len(chunk) <= READ_BYTES:
        assert passed is True
        assert client.recv(READ_BYTES) == chunk
    else:
        assert passed == chunk[:READ_BYTES]


def test_what_does_not_go_out_is_given_back(ends: Ends, passes: PassOn) -> None:
    upstream, source, to, client = ends
    chunk = frame(b"x" * 40_000 + b"\n\n")
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * READ_BYTES)
    came, given_back = b"", b""
    for _ in range(100):
        upstream.sendall(chunk)
        passed = passes(source.fileno(), to.fileno())
        if passed is not True:
            assert isinstance(passed, tuple)
            data, written = passed
            assert data == chunk
            given_back = data[written:]
            break
    while True:
        try:
            came += client.recv(READ_BYTES)
        except BlockingIOError:
            break

    assert given_back
    assert (came + given_back).endswith(chunk)
    assert not (len(came) + len(given_back)) % len(chunk)


def test_a_client_that_is_gone_is_told_from_an_upstream_that_is(ends: Ends, passes: PassOn) -> None:
    upstream, source, to, client = ends
    client.close()
    upstream.sendall(CHUNK)

    assert passes(source.fileno(), to.fileno()) == (CHUNK, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        passes(-1, to.fileno())


@given(st.lists(st.one_of(PARTS, st.binary(max_size=6)), max_size=12).map(b"".join))
@example(CHUNK)
@example(b"message_")
@example(EVENT[:68] + b"signature_")
@example(b"a_block_start_")
@example(b"2\r\n\n\n\r\n")
@example(b"5\r\n\n\n\r\n\r\n")
def test_both_know_the_same_chunks(data: bytes) -> None:
    for each in (data, frame(data), frame(data + b"\n\n"), CHUNK + data, frame(data) + CHUNK):
        assert may_pass(each) == may_pass_in_python(each)
    assert is_content(data) == is_content_in_python(data)
    if not any(word in data for word in (b"message_", b"error", b"block_start", b"signature_")):
        assert may_pass(frame(data + b"\n\n"))


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_both_refuse_the_same(other: bytes) -> None:
    assert not may_pass(other)
    assert not may_pass_in_python(other)


@pytest.mark.skipif(not IS_COMPILED, reason="_passing.c is not compiled")
@pytest.mark.parametrize("given", [(), (1,), (1, 2, 3), ("a", 1), (1, None), (1 << 70, 1)])
def test_nonsense_is_an_error(given: tuple[object, ...]) -> None:
    with pytest.raises((TypeError, OverflowError)):
        passing.pass_on(*given)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError):
        passing.is_content(memoryview(CHUNK))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError):
        passing.may_pass(memoryview(CHUNK))  # type: ignore[arg-type]  # on purpose
