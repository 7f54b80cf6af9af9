"""Each response is fed whole, byte by byte and, where it ends by itself, with a tail."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import UpstreamBroken
from relay.upstream.parser import MAX_HEAD_BYTES, ResponseParser
from tests.upstream.scripted import CHUNKED, bytewise

# name → (bytes, status, body)
COMPLETE: dict[str, tuple[bytes, int, bytes]] = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "chunked": (CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 200, b"hello world"),
    "extensions": (CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', 200, b"hello"),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nX-Late: 1\r\nY: 2\r\n\r\n", 200, b"ok"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    "continue": (
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
        ),
        200,
        b"1",
    ),
    "no reason": (b"HTTP/1.1 529\r\nContent-Length: 1\r\n\r\n1", 529, b"1"),
    "old with length": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1",
        200,
        b"1",
    ),
}
UNTIL_EOF = {
    "1.1": b"HTTP/1.1 200 OK\r\n\r\nto the end",
    "1.0": b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end",
}
MALFORMED = {
    "html": b"<html><body>no</body></html>",
    "version 0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 1\r\n\r\n1",
    "version 2": b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1",
    "length and chunked": CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n1\r\n1\r\n0\r\n\r\n",
    "length not a number": b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n1",
    "gzip transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "bad name": b"HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 0\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n",
    "bad chunk size": CHUNKED + b"zz\r\nhello\r\n",
    "long chunk": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "switching unasked": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


def parsed(*chunks: bytes, bodyless: bool = False) -> tuple[ResponseParser, bytes]:
    parser = ResponseParser(bodyless=bodyless)
    body = b""
    for chunk in chunks:
        parser.feed(chunk)
        body += parser.take()
    return parser, body


@pytest.mark.parametrize(("data", "status", "body"), COMPLETE.values(), ids=COMPLETE)
def test_response_ends_by_itself_and_the_connection_can_be_reused(
    data: bytes, status: int, body: bytes
) -> None:
    for chunks in ([data], bytewise(data)):
        parser, got = parsed(*chunks)

        assert (parser.status, got) == (status, body)
        assert parser.is_complete
        assert parser.is_reusable


@pytest.mark.parametrize(("data", "status", "body"), COMPLETE.values(), ids=COMPLETE)
@pytest.mark.parametrize("tail", [b"HTTP/1.1 200 OK\r\n\r\n", b"junk", b"\0"])
def test_bytes_after_the_end_are_no_body_and_forbid_reuse(
    data: bytes, status: int, body: bytes, tail: bytes
) -> None:
    for chunks in ([data + tail], [data, tail], [*bytewise(data), *bytewise(tail)]):
        parser, got = parsed(*chunks)

        assert (parser.status, got) == (status, body)
        assert parser.is_complete
        assert not parser.is_reusable


@pytest.mark.parametrize(("data", "status", "body"), COMPLETE.values(), ids=COMPLETE)
def test_response_cut_short_is_broken(data: bytes, status: int, body: bytes) -> None:
    parser, got = parsed(data[:-1])

    assert not parser.is_complete
    assert body.startswith(got)
    assert parser.status in (0, status)
    with pytest.raises(UpstreamBroken, match="announced end"):
        parser.feed_eof()


@pytest.mark.parametrize("data", UNTIL_EOF.values(), ids=UNTIL_EOF)
def test_response_without_length_ends_with_the_connection(data: bytes) -> None:
    for chunks in ([data], bytewise(data)):
        parser, body = parsed(*chunks)

        assert body == b"to the end"
        assert not parser.is_complete
        parser.feed_eof()
        assert parser.is_complete
        assert not parser.is_reusable


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_response_is_broken(data: bytes) -> None:
    for chunks in ([data], bytewise(data)):
        with pytest.raises(UpstreamBroken, match="malformed response"):
            parsed(*chunks)[0].take()


def test_body_before_a_fault_is_given_before_the_fault() -> None:
    parser = ResponseParser()
    parser.feed(CHUNKED + b"5\r\nhello\r\nzz\r\n")

    assert parser.take() == b"hello"
    assert parser.is_broken
    with pytest.raises(UpstreamBroken, match="chunk size"):
        parser.take()


@given(
    st.sampled_from(sorted(COMPLETE)),
    st.lists(st.integers(min_value=0, max_value=200), max_size=8),
)
def test_result_does_not_depend_on_where_the_bytes_are_cut(name: str, cuts: list[int]) -> None:
    data, status, body = COMPLETE[name]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]

    parser, got = parsed(*pieces)

    assert (parser.status, got, parser.is_reusable) == (status, body, True)


def test_headers_keep_their_order_and_repetition_in_lower_case() -> None:
    parser, _ = parsed(
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
        b"X-Empty:\r\nX-Latin: caf\xe9 \r\nContent-Length: 0\r\n\r\n"
    )

    assert parser.headers == [
        ("x-a", "1"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("x-empty", ""),
        ("x-latin", "caf\u00e9"),
        ("content-length", "0"),
    ]


def test_neither_interim_headers_nor_trailers_are_headers_of_the_response() -> None:
    parser, _ = parsed(COMPLETE["continue"][0])
    assert parser.headers == [("content-length", "1")]

    parser, _ = parsed(COMPLETE["trailers"][0])
    assert parser.headers == [("transfer-encoding", "chunked")]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED,
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_answer_to_head_has_no_body_whatever_its_headers_say(data: bytes) -> None:
    for chunks in ([data], bytewise(data)):
        parser, body = parsed(*chunks, bodyless=True)

        assert parser.is_complete
        assert body == b""
        assert not parser.is_reusable


def test_connection_close_forbids_reuse() -> None:
    parser, _ = parsed(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    assert parser.is_complete
    assert not parser.is_reusable


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Name: some value\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"some value"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X-Name: some value\r\n"),
        (CHUNKED + b"1;", b"extension"),
    ],
    ids=["headers", "a header", "interim", "trailers", "extension"],
)
def test_bytes_without_progress_are_bounded(start: bytes, more: bytes) -> None:
    pieces = itertools.repeat(more, 2 * MAX_HEAD_BYTES // len(more))

    with pytest.raises(UpstreamBroken, match="within 65536 bytes"):
        parsed(start or more, *pieces)[0].take()


def test_a_long_body_in_small_chunks_is_not_bounded() -> None:
    parser, _ = parsed(CHUNKED)

    for _ in range(MAX_HEAD_BYTES):
        parser.feed(b"1\r\na\r\n")

    assert parser.take() == b"a" * MAX_HEAD_BYTES


@given(
    st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_it_stands_at_a_border_behind_each_whole_chunk_and_nowhere_else(
    pieces: list[bytes], cuts: list[int]
) -> None:
    wire, borders = CHUNKED, set()
    for piece in pieces:
        wire += b"%X;ext\r\n%b\r\n" % (len(piece), piece)
        borders.add(len(wire))
    wire += b"0\r\nlate: 1\r\n\r\n"
    parser = ResponseParser()

    for start, end in itertools.pairwise(sorted({0, *cuts, *borders, len(wire)})):
        parser.feed(wire[start:end])
        # Fed the last byte of a chunk alone it says no: one more chunk is parsed than need be.
        assert parser.at_border == (end in borders and end - start > 1)


def test_a_body_that_does_not_come_in_chunks_has_no_borders() -> None:
    for data in (COMPLETE["length"][0], UNTIL_EOF["1.1"] + b"\r\n"):
        parser = ResponseParser()
        for part in bytewise(data):
            parser.feed(part)
            assert not parser.at_border


def test_chunks_left_out_at_a_border_change_nothing() -> None:
    parser, body = parsed(CHUNKED + b"2\r\nok\r\n")
    assert parser.at_border
    parser.feed(b"3\r\nend\r\n0\r\n\r\n")

    assert (body, parser.take()) == (b"ok", b"end")
    assert parser.is_reusable
