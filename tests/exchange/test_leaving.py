"""A client that leaves, or a worker that ends, while the relay waits: nothing is kept (4.8)."""

from collections.abc import Mapping

import pytest

from relay.errors import ClientLeft
from relay.stream.drain import Draining
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, close, read
from tests.exchange.leaving import LONG_S, Client
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

WAITS: Mapping[str, Answer] = {
    "for the headers": says_nothing("open"),
    "for the first event": streams(LONG_S),
    "for the first content": streams(messages.message_start()[:-1], LONG_S),
    "for the rest of a message": says(
        200, {"Content-Type": "application/json"}, b"{", LONG_S, framing="chunked"
    ),
    "for the rest of an error": says(
        503, {"Content-Type": "text/plain"}, b"busy", LONG_S, framing="chunked"
    ),
}


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")))


@pytest.mark.parametrize("what", WAITS)
@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
def test_a_client_that_leaves_while_the_relay_waits_cancels_the_call(
    driven: Driven, a: Upstream, lines: Lines, client: Client, *, what: str, body: bytes
) -> None:
    a.says(WAITS[what])
    client.leaves_soon()

    with pytest.raises(ClientLeft):
        driven.begin(body, presence=client.presence)

    until("the upstream call is cancelled", a.only().closed.is_set, 1.0)
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
    assert [(ended["status"], ended["outcome"]) for ended in lines.ended] == [(499, "client_left")]


def test_a_client_that_left_is_nobody_s_fault(
    drive: Drive, a: Upstream, b: Upstream, client: Client
) -> None:
    driven = drive(config(provider("A", a, "k1", priority=2), provider("B", b, "k1")))
    a.says(says_nothing("open"))
    client.leaves_soon()

    with pytest.raises(ClientLeft):
        driven.begin(MSG, presence=client.presence)

    assert not b.requests
    assert driven.ask().status == 200
    assert a.requests[1].header("x-api-key") == "k1"


def test_a_client_that_leaves_in_mid_stream_ends_it_without_another_byte(
    driven: Driven, a: Upstream, lines: Lines, client: Client
) -> None:
    a.says(streams(*messages.beginning(), LONG_S))
    reply = driven.begin(STREAM_MSG, presence=client.presence)
    pieces = iter(reply.body)
    next(pieces)
    client.leaves_soon()

    with pytest.raises(ClientLeft):
        list(pieces)
    close(reply)

    until("the upstream call is cancelled", a.only().closed.is_set, 1.0)
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
    assert [ended["outcome"] for ended in lines.ended] == ["client_left"]


def test_a_worker_that_ends_before_commit_answers_503_and_keeps_nothing(
    driven: Driven, a: Upstream, lines: Lines, client: Client
) -> None:
    a.says(says_error(500, "api_error"), says_nothing("open"))
    driven.ask()
    client.is_told_of_the_end_soon()

    with pytest.raises(Draining):
        driven.begin(MSG, presence=client.presence)

    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
    assert [ended["status"] for ended in lines.ended] == [500, 503]


def test_a_worker_that_ends_after_commit_ends_the_stream_visibly(
    driven: Driven, a: Upstream, lines: Lines, client: Client
) -> None:
    a.says(streams(*messages.beginning(), LONG_S))
    reply = driven.begin(STREAM_MSG, presence=client.presence)
    client.is_told_of_the_end_soon()

    served = read(reply)

    assert served.cut
    *_, (name, data) = messages.events(served.content)
    assert (name, data["error"]["type"]) == ("error", "overloaded_error")
    assert b"message_stop" not in served.content
    assert [ended["outcome"] for ended in lines.ended] == ["drained"]
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
