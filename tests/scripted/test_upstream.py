"""The scripted upstream does what scripts say, and sees what its peers do."""

import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from tests.scripted import messages
from tests.scripted.answers import Ends, says, says_message, says_nothing, streams
from tests.scripted.client import MSG, Connection, Cut, chunks, head
from tests.scripted.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def connection(upstream: Upstream) -> Iterator[Connection]:
    connection = Connection(upstream.port)
    yield connection
    connection.close()


def test_a_request_is_recorded_byte_for_byte(upstream: Upstream, connection: Connection) -> None:
    answer = connection.ask("POST", "/v1/messages?beta=true", MSG, [("X-A", "1"), ("x-a", "2")])
    assert answer.json() == messages.message()
    request = upstream.only()
    assert (request.method, request.path, request.query) == ("POST", "/v1/messages", "beta=true")
    assert request.named("X-A") == ["1", "2"]
    assert request.body == MSG


def test_a_chunked_request_is_put_together(upstream: Upstream, connection: Connection) -> None:
    connection.send(head("POST", "/", b"", [("Transfer-Encoding", "chunked")]) + chunks(MSG, 7))
    assert connection.response().status == 200
    assert upstream.only().body == MSG


def test_half_a_request_is_not_recorded(upstream: Upstream, connection: Connection) -> None:
    connection.send(head("POST", "/", MSG) + MSG[:-1])
    connection.close()
    with Connection(upstream.port) as other:
        assert other.ask("GET", "/").content
    assert [request.method for request in upstream.requests] == ["GET"]
    assert upstream.accepted == 2


def test_answers_come_in_the_order_they_were_given(
    upstream: Upstream, connection: Connection
) -> None:
    upstream.says(says_message("one"), says(418, {}, b"two"))
    assert b"one" in connection.ask("POST", "/", MSG).content
    assert connection.ask("POST", "/", MSG).content == b"two"
    assert connection.ask("POST", "/", MSG).status == 200


def test_chunks_arrive_one_by_one(upstream: Upstream, connection: Connection) -> None:
    upstream.says(streams(b"one", b"two", pause_s=0.2))
    pieces = list(connection.ask("GET", "/").pieces())
    assert [piece.data for piece in pieces] == [b"one", b"two"]
    assert pieces[1].at - pieces[0].at > 0.15


def test_gzip_can_be_read_after_every_step(upstream: Upstream, connection: Connection) -> None:
    upstream.says(streams(b"one", b"two", gzip=True))
    unpack = zlib.decompressobj(wbits=31)
    seen = [unpack.decompress(piece.data) for piece in connection.ask("GET", "/").pieces()]
    assert seen[:2] == [b"one", b"two"]


@pytest.mark.parametrize("ends", ["close", "reset", "inside_chunk"])
def test_a_chunked_answer_can_break(upstream: Upstream, connection: Connection, ends: Ends) -> None:
    upstream.says(streams(b"one", 0.05, ends=ends))
    answer = connection.ask("GET", "/")
    with pytest.raises(Cut):
        _ = answer.content
    assert answer.so_far == b"one"


def test_a_close_delimited_answer_ends_with_the_connection(
    upstream: Upstream, connection: Connection
) -> None:
    upstream.says(streams(b"one", framing="close"))
    answer = connection.ask("GET", "/")
    assert answer.header("connection") == "close"
    assert answer.content == b"one"


@pytest.mark.parametrize("ends", ["close", "reset"])
def test_no_answer_at_all(upstream: Upstream, connection: Connection, ends: Ends) -> None:
    upstream.says(says_nothing(ends))
    with pytest.raises(Cut):
        connection.ask("POST", "/", MSG)
    assert upstream.only().body == MSG


def test_a_hold_lasts_until_it_is_let_go(upstream: Upstream, connection: Connection) -> None:
    hold = threading.Event()
    upstream.says(says_message(before=(hold,)))
    connection.begin("POST", "/", MSG)
    assert not upstream.wait_for(1)[0].answered.wait(0.1)
    hold.set()
    assert connection.response().status == 200


@pytest.mark.parametrize("where", ["before", "inside", "after"])
def test_a_peer_that_closes_is_seen(upstream: Upstream, connection: Connection, where: str) -> None:
    hold = threading.Event()
    upstream.says(
        {
            "before": says_message(before=(hold,)),
            "inside": streams(b"one", hold),
            "after": streams(b"one", ends="open"),
        }[where]
    )
    connection.begin("POST", "/", MSG)
    request = upstream.wait_for(1)[0]
    assert request.closed_at is None
    left_at = time.monotonic()
    connection.close()
    assert request.closed.wait(2)
    assert request.closed_at is not None
    assert request.closed_at - left_at < 0.5
