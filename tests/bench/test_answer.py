"""Answers are read right however their bytes are cut, without parsing the events."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import stamp
from bench.load.answer import Answer

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def chunked(*chunks: bytes) -> bytes:
    """A whole answer of these chunks."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def event(written_ns: int) -> bytes:
    """An event with the stamp of this moment."""
    return b'data: {"text":"~%019d."}\n\n' % written_ns


def fed(pieces: list[bytes]) -> tuple[Answer, list[int]]:
    """An answer and the stamps it gave, piece by piece."""
    answer, found = Answer(), list[int]()
    for arrived, piece in enumerate(pieces, start=1):
        assert not answer.is_whole
        found += answer.feed(piece, arrived)
    return answer, found


def cut_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    borders = [0, *sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


@given(st.lists(st.integers(min_value=0, max_value=10_000)))
def test_every_stamp_is_found_once_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    data = chunked(event(7), event(8) + event(9), b"data: the end\n\n")

    answer, found = fed(cut_at(data, cuts))

    assert found == [7, 8, 9]
    assert answer.events == 3
    assert answer.is_whole


def test_an_answer_is_read_byte_by_byte() -> None:
    data = chunked(event(1_234_567_890_123_456_789))

    answer, found = fed([bytes([each]) for each in data])

    assert found == [1_234_567_890_123_456_789]
    assert answer.is_whole


def test_a_stamp_is_found_across_the_border_of_two_chunks() -> None:
    one, other = event(21)[:25], event(21)[25:]

    answer, found = fed([chunked(one, other, event(22))])

    assert found == [21, 22]
    assert answer.is_whole


def test_an_empty_chunked_answer_is_whole() -> None:
    answer, _ = fed([chunked()])

    assert answer.is_whole


def test_an_answer_of_a_length_ends_with_its_last_byte() -> None:
    answer, _ = fed([HEAD + b"Content-Length: 5\r\n\r\nab", b"cde"])

    assert answer.is_whole


def test_an_answer_without_framing_is_whole_when_the_connection_ends() -> None:
    answer, found = fed([HEAD + b"\r\n" + event(3)])

    assert found == [3]
    assert not answer.is_whole
    assert answer.is_whole_at_close


@pytest.mark.parametrize("missing", [1, 5, 40])
def test_a_cut_answer_is_not_whole(missing: int) -> None:
    answer, _ = fed([chunked(event(1), event(2))[:-missing]])

    assert not answer.is_whole
    assert not answer.is_whole_at_close


def test_the_first_byte_is_timed_and_not_the_end_of_the_head() -> None:
    data = chunked(event(1))

    answer, _ = fed([data[:4], data[4:]])

    assert answer.first_ns == 1


def test_a_refusal_says_what_came() -> None:
    answer, _ = fed([b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nnot today"])

    assert answer.refusal == "503 not today"


def test_the_end_of_a_connection_is_announced() -> None:
    answer, _ = fed([HEAD + b"Connection: close\r\ncontent-length: 0\r\n\r\n"])

    assert answer.closes


def test_a_stamp_has_one_length() -> None:
    made = stamp.now()

    assert len(made) == stamp.LENGTH
    assert len(stamp.find(made)) == 1
