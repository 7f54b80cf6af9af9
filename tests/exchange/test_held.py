"""A stream that was committed while it still waited for room: pings, then its answer (9.7)."""

from typing import Any

import gevent
import pytest

from relay.errors import ClientLeft
from relay.messages.events import PING
from tests.exchange.conftest import Beside, Drive, Lines
from tests.exchange.driving import Driven, Served, close, quick, read
from tests.exchange.leaving import LONG_S, Client
from tests.exchange.waiting import in_line, limited, outcome, queueing, rest
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_message, says_nothing, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

WHOLE = b"".join(messages.text_stream())
CLAUDE_CODE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    """Its streams are held after 0.05 s, and pinged every 0.05 s."""
    return held(drive, a)


def held(
    drive: Drive, a: Upstream, *, queue_ms: int = 5000, ping_interval_ms: int = 50, **limits: Any
) -> Driven:
    return drive(
        queueing(limited(a, **limits), queue_ms=queue_ms),
        lambda each: quick(each, first_event_ms=50, ping_interval_ms=ping_interval_ms),
    )


def after_pings(served: Served) -> bytes:
    """What came after them; there is one at least."""
    content = served.content
    assert content.startswith(PING)
    while content.startswith(PING):
        content = content.removeprefix(PING)
    return content


def failure(served: Served) -> tuple[str, str]:
    """Type and message of the error event that all ended with; the body was cut."""
    ((name, data),) = messages.events(after_pings(served))
    assert (name, served.cut) == ("error", True)
    return data["error"]["type"], data["error"]["message"]


def test_a_stream_that_waits_is_begun_and_pinged_and_then_served(
    driven: Driven, a: Upstream, lines: Lines
) -> None:
    rest(driven, 0.4)
    a.says(streams())

    served = read(driven.begin(STREAM_MSG))

    assert (served.status, served.header("content-type")) == (200, "text/event-stream")
    assert served.header("content-length") is None
    assert (after_pings(served), served.cut) == (WHOLE, False)
    assert 2 <= served.content.count(PING) <= 14
    (ended,) = lines.ended
    assert (ended["status"], ended["outcome"], ended["provider"], ended["key"]) == (
        *(200, "complete"),
        *("A", "A/0"),
    )
    assert ended["input_tokens"] == messages.USAGE["input_tokens"]
    assert ended["first_byte_ms"] < 350
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0


def test_the_first_ping_comes_at_once(drive: Drive, a: Upstream) -> None:
    driven = held(drive, a, ping_interval_ms=1000)
    rest(driven, 4.0)
    reply = driven.begin(STREAM_MSG)
    began = driven.clock.monotonic()

    first = next(iter(reply.body))

    assert first == PING
    assert driven.clock.monotonic() - began < 0.5
    close(reply)


def test_it_goes_on_to_be_pinged_while_the_upstream_is_silent(driven: Driven, a: Upstream) -> None:
    rest(driven, 0.1)
    a.says(streams(before=(0.4,)))

    served = read(driven.begin(STREAM_MSG))

    assert (after_pings(served), served.cut) == (WHOLE, False)
    assert served.content.count(PING) >= 6


def test_a_wait_for_nothing_ends_with_an_error_event(
    drive: Drive, a: Upstream, lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    driven = held(drive, a, queue_ms=300, rpm_limit=1)
    driven.ask()

    served = read(driven.begin(STREAM_MSG))

    assert failure(served)[0] == "rate_limit_error"
    assert len(a.requests) == 1
    assert [(each["status"], each["outcome"]) for each in lines.ended[1:]] == [(200, "refused")]
    assert driven.lasting.lines.waiting == driven.lasting.running.count == 0
    assert capfd.readouterr().err == ""


REFUSALS: dict[str, tuple[Answer, str]] = {
    "the client's own error": (says_error(400, "invalid_request_error"), "invalid_request_error"),
    "an error that is no JSON": (says(413, {}, b"too large"), "request_too_large"),
    "overload": (says_error(529, "overloaded_error"), "overloaded_error"),
    "a failure without words": (says(503, {}, b""), "overloaded_error"),
    "a refused key": (says_error(401, "authentication_error"), "api_error"),
    "no answer": (says_nothing("reset"), "api_error"),
    "a message that is no stream": (says_message(), "api_error"),
    "an unknown coding": (
        says(200, {"Content-Type": "text/event-stream", "Content-Encoding": "x-new"}, WHOLE),
        "api_error",
    ),
    "an error event": (
        streams(messages.event("error", error={"type": "invalid_request_error", "message": "no"})),
        "invalid_request_error",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_an_answer_that_is_no_stream_becomes_an_error_event(
    driven: Driven, a: Upstream, lines: Lines, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    answer, error_type = REFUSALS[what]
    rest(driven, 0.2)
    a.says(answer)

    served = read(driven.begin(STREAM_MSG))

    assert failure(served)[0] == error_type
    assert b"message_stop" not in served.content
    assert [(each["status"], each["outcome"]) for each in lines.ended] == [(200, "refused")]
    assert lines.of("a fault of ours") == []
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
    assert capfd.readouterr().err == ""


def test_a_stream_that_breaks_after_the_wait_is_cut(
    driven: Driven, a: Upstream, lines: Lines
) -> None:
    rest(driven, 0.2)
    a.says(streams(*messages.beginning(), ends="reset"))

    served = read(driven.begin(STREAM_MSG))

    assert served.cut
    assert b"message_stop" not in served.content
    assert [each["outcome"] for each in lines.ended] == ["broken"]


def test_it_is_sent_without_a_coding(driven: Driven, a: Upstream) -> None:
    rest(driven, 0.2)
    a.says(streams())

    served = read(driven.begin(STREAM_MSG, {"accept-encoding": "gzip"}))

    assert a.only().header("accept-encoding") == "identity"
    assert after_pings(served) == WHOLE


def test_a_coding_that_nobody_asked_for_is_undone(driven: Driven, a: Upstream) -> None:
    rest(driven, 0.2)
    a.says(streams(gzip=True))

    served = read(driven.begin(STREAM_MSG, {"accept-encoding": "gzip"}))

    assert served.header("content-encoding") is None
    assert (after_pings(served), served.cut) == (WHOLE, False)


def test_a_client_that_leaves_gives_the_place_to_the_next(
    driven: Driven, a: Upstream, lines: Lines, beside: Beside, client: Client
) -> None:
    rest(driven, 0.6)
    waiting = beside(driven)
    leaver = waiting.ask(STREAM_MSG, presence=client.presence)
    in_line(driven, 1)
    stays = waiting.ask()
    gevent.sleep(0.15)

    client.leaves_soon()
    outcome(leaver)

    in_line(driven, 1)
    assert outcome(stays).status == 200
    assert len(a.requests) == 1
    assert [(each["status"], each["outcome"]) for each in lines.ended] == [
        (200, "client_left"),
        (200, "complete"),
    ]
    assert driven.lasting.running.count == 0


def test_a_client_that_leaves_while_it_is_served_cancels_the_call(
    driven: Driven, a: Upstream, lines: Lines, client: Client
) -> None:
    rest(driven, 0.2)
    a.says(says_nothing("open"))
    reply = driven.begin(STREAM_MSG, presence=client.presence)

    def leave() -> None:
        while not a.requests:
            gevent.sleep(0.02)
        client.leaves_soon()

    gevent.spawn(leave)
    with pytest.raises(ClientLeft):
        list(reply.body)
    close(reply)

    until("the upstream call is cancelled", a.only().closed.is_set, 1.0)
    assert [each["outcome"] for each in lines.ended] == ["client_left"]
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_body_that_nobody_reads_gives_its_place_back(
    driven: Driven, lines: Lines, *, has_begun: bool
) -> None:
    rest(driven, 4.0)

    reply = driven.begin(STREAM_MSG)
    if has_begun:
        gevent.sleep(0.01)
    close(reply)

    assert driven.lasting.lines.waiting == driven.lasting.running.count == 0
    assert [each["outcome"] for each in lines.ended] == ["client_left"]


@pytest.mark.parametrize(("agent", "is_told"), [({}, True), (CLAUDE_CODE, False)])
def test_a_worker_that_ends_ends_it_as_any_broken_stream(
    driven: Driven,
    lines: Lines,
    beside: Beside,
    client: Client,
    *,
    agent: dict[str, str],
    is_told: bool,
) -> None:
    rest(driven, 4.0)
    one = beside(driven).ask(STREAM_MSG, agent, presence=client.presence)
    gevent.sleep(0.2)

    client.is_told_of_the_end_soon()

    served = outcome(one)
    assert served.cut
    if is_told:
        assert failure(served)[0] == "overloaded_error"
    else:
        assert after_pings(served) == b""
    assert [(each["status"], each["outcome"]) for each in lines.ended] == [(200, "drained")]
    assert driven.lasting.lines.waiting == driven.lasting.running.count == 0


def test_a_plain_answer_is_never_begun_before_its_time(
    drive: Drive, a: Upstream, beside: Beside
) -> None:
    driven = held(drive, a)
    rest(driven, 0.3)
    a.says(says_error(529, "overloaded_error"))

    assert outcome(beside(driven).ask()).status == 529


def test_long_waits_for_the_answer_are_no_waits_for_room(driven: Driven, a: Upstream) -> None:
    a.says(streams(before=(0.3,)), says_nothing("open", LONG_S))

    served = read(driven.begin(STREAM_MSG))

    assert after_pings(served) == WHOLE
