"""An error answer that is kept while others are asked: bounded in size and in time (8.3)."""

from collections.abc import Sequence

import pytest

from relay.errors import UpstreamBroken, UpstreamIdle
from relay.exchange.answer import MAX_ANSWER_BYTES, MAX_ANSWER_S, Answer, keep


class Dripping:
    """An answer whose pieces come as scripted, each so many seconds later."""

    status = 503
    headers: Sequence[tuple[str, str]] = (("content-type", "text/plain"), ("content-length", "9"))

    def __init__(self, *pieces: bytes | Exception, each_s: float = 0.0) -> None:
        self._pieces = list(pieces)
        self._each_s = each_s
        self.now = 0.0
        self.closes = 0

    def read1(self, timeout_s: float | None = None) -> bytes | None:
        assert timeout_s is not None
        if timeout_s < self._each_s:
            self.now += timeout_s
            return None
        self.now += self._each_s
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closes += 1

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def kept(response: Dripping) -> Answer | None:
    answer = keep(response, response)
    assert response.closes == 1
    return answer


def test_a_whole_body_is_kept() -> None:
    answer = kept(Dripping(b"so", b" busy"))

    assert answer == Answer(503, Dripping.headers, b"so busy")


def test_a_body_of_a_megabyte_is_kept_and_one_byte_more_is_not() -> None:
    exact = kept(Dripping(b"x" * MAX_ANSWER_BYTES))

    assert exact is not None
    assert len(exact.body) == MAX_ANSWER_BYTES
    assert kept(Dripping(b"x" * MAX_ANSWER_BYTES, b"x")) is None


@pytest.mark.parametrize("error", [UpstreamBroken("x"), UpstreamIdle("x")])
def test_a_body_that_breaks_off_is_not_kept(error: Exception) -> None:
    assert kept(Dripping(b"so", error)) is None


def test_a_body_that_drips_is_read_no_longer_than_the_limit() -> None:
    response = Dripping(*[b"x"] * 100, each_s=0.9)

    assert kept(response) is None
    assert response.now == pytest.approx(MAX_ANSWER_S)


def test_whatever_else_is_thrown_passes_and_the_response_is_closed() -> None:
    response = Dripping(ConnectionResetError())

    with pytest.raises(ConnectionResetError):
        keep(response, response)

    assert response.closes == 1


def test_a_kept_answer_states_its_own_length() -> None:
    reply = Answer(503, [("content-length", "99"), ("x-a", "1")], b"four").reply(pooled=False)

    assert reply.status == 503
    assert reply.headers == [("x-a", "1"), ("Content-Length", "4")]
    assert list(reply.body) == [b"four"]
