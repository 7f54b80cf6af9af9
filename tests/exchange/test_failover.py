"""Who is asked next, and what the client gets when nobody is left (behaviour 8.2 and 8.3)."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress

import pytest

from relay.errors import CredentialRefused, UpstreamFailed, UpstreamTimedOut
from tests.exchange.conftest import Drive
from tests.exchange.driving import quick
from tests.scripted import messages
from tests.scripted.answers import Answer, says, says_error, says_json, says_nothing, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

OURS = "our-secret-key"
THEIRS = {"x-api-key": "client"}
NOBODY_S: Mapping[str, str] = {}
OVERLOADED = messages.event("error", error={"type": "overloaded_error", "message": "busy"})


def error_event(type: str) -> Answer:
    return streams(messages.event("error", error={"type": type, "message": "scripted"}))


# What A answers, and whether B is asked then: behaviour 8.2 by rows, for a credential of ours.
OTHERS_ARE_ASKED: Mapping[str, Answer] = {
    "lost": says_nothing("close"),
    "reset": says_nothing("reset"),
    "401": says_error(401, "authentication_error"),
    "402": says_error(402, "billing_error"),
    "403": says_error(403, "permission_error"),
    "429": says_error(429, "rate_limit_error"),
    "500": says_error(500, "api_error"),
    "502": says_error(502, "api_error"),
    "503": says_error(503, "overloaded_error"),
    "504": says_error(504, "timeout_error"),
    "529": says_error(529, "overloaded_error"),
    "302": says(302, {"Location": "http://127.0.0.1:1/elsewhere"}),
    "overloaded_error event": streams(OVERLOADED),
    "api_error event": error_event("api_error"),
    "timeout_error event": error_event("timeout_error"),
    "rate_limit_error event": error_event("rate_limit_error"),
    "authentication_error event": error_event("authentication_error"),
    "permission_error event": error_event("permission_error"),
    "an event of an unknown type": error_event("strange_error"),
    "an error after message_start": streams(messages.message_start(), OVERLOADED),
    "an empty stream": says(200, {"Content-Type": "text/event-stream"}, framing="chunked"),
    "an empty body": says(200, {"Content-Type": "application/json"}),
    "a web page": says(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>"),
    "a JSON error": says_json(messages.error("api_error", "scripted")),
    "an end before content": streams(messages.message_start()),
    "a cut before content": streams(messages.message_start(), ends="inside_chunk"),
    "a cut plain body": says(
        200, {"Content-Type": "application/json", "Content-Length": "99"}, b"{", ends="close"
    ),
}
ARE_THE_CLIENT_S_OWN: Mapping[str, tuple[Answer, int, Mapping[str, str]]] = {
    **{
        f"{status}": (says_error(status, "invalid_request_error"), status, NOBODY_S)
        for status in (400, 404, 409, 410, 413, 418, 422)
    },
    **{
        f"{status} to the client's credential": (
            says_error(status, "authentication_error"),
            status,
            THEIRS,
        )
        for status in (401, 402, 403, 429)
    },
    "invalid_request_error event": (error_event("invalid_request_error"), 400, NOBODY_S),
    "request_too_large event": (error_event("request_too_large"), 413, NOBODY_S),
    "authentication_error event, the client's": (error_event("authentication_error"), 401, THEIRS),
    "rate_limit_error event, the client's": (error_event("rate_limit_error"), 429, THEIRS),
}


@pytest.mark.parametrize("what", OTHERS_ARE_ASKED)
def test_another_provider_answers_when_the_first_cannot(
    drive: Drive, a: Upstream, b: Upstream, what: str
) -> None:
    driven = drive(
        config(provider("A", a, OURS, priority=2), provider("B", b, "kb"), routing={"debug": True})
    )
    a.says(OTHERS_ARE_ASKED[what])
    b.says(streams())

    served = driven.ask(STREAM_MSG)

    assert served.status == 200
    assert served.content == b"".join(messages.text_stream())
    assert served.header("x-cc-relay-provider") == "B"
    assert served.header("x-cc-relay-attempts") == "2"
    assert (len(a.requests), len(b.requests)) == (1, 1)


@pytest.mark.parametrize("what", ARE_THE_CLIENT_S_OWN)
def test_an_answer_about_the_request_is_the_client_s(
    drive: Drive, a: Upstream, b: Upstream, what: str
) -> None:
    answer, status, sent = ARE_THE_CLIENT_S_OWN[what]
    driven = drive(config(provider("A", a, OURS, priority=2), provider("B", b, "kb")))
    a.says(answer)

    served = driven.ask(STREAM_MSG, sent)

    assert served.status == status
    assert served.header("content-type") == "application/json"
    assert served.json()["type"] == "error"
    assert not b.requests


def test_a_refused_connection_asks_the_next_provider(
    drive: Drive, a: Upstream, closed_port: str
) -> None:
    driven = drive(config(provider("dead", closed_port, "k", priority=2), provider("A", a, "k")))

    assert driven.ask().status == 200


@pytest.fixture
def no_tls() -> Iterator[str]:
    """An https URL behind which nobody speaks TLS: every connection is told so and closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        answering.join(2)


def test_a_failed_handshake_asks_the_next_provider(drive: Drive, a: Upstream, no_tls: str) -> None:
    driven = drive(config(provider("A", no_tls, "ka", priority=2), provider("B", a, "kb")))

    assert driven.ask().status == 200
    assert a.only().header("x-api-key") == "kb"


def test_a_connection_that_was_closed_while_idle_is_no_attempt(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2"), routing={"debug": True}))
    kept_then_closed = Answer(200, (("Content-Length", "2"),), (b"{}",), "length", (), "close")
    a.says(kept_then_closed)
    driven.ask()
    assert a.requests[0].closed.wait(2)

    served = driven.ask()

    assert (served.status, served.header("x-cc-relay-attempts")) == (200, "1")
    assert len(a.requests) == 2


def test_no_answer_in_time_asks_the_next_provider(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(
        config(provider("A", a, OURS, priority=2), provider("B", b, "kb")),
        lambda loaded: quick(loaded, first_byte_ms=60),
    )
    a.says(says_nothing("open"))

    assert driven.ask().status == 200
    assert len(b.requests) == 1


NOBODY_LEFT: Mapping[str, tuple[Answer, type[Exception]]] = {
    "lost": (OTHERS_ARE_ASKED["lost"], UpstreamFailed),
    "silent": (says_nothing("open"), UpstreamTimedOut),
    "302": (OTHERS_ARE_ASKED["302"], UpstreamFailed),
    "401 to ours": (OTHERS_ARE_ASKED["401"], CredentialRefused),
    "403 to ours": (OTHERS_ARE_ASKED["403"], CredentialRefused),
    "authentication_error event, ours": (
        OTHERS_ARE_ASKED["authentication_error event"],
        CredentialRefused,
    ),
    "overloaded_error event": (OTHERS_ARE_ASKED["overloaded_error event"], UpstreamFailed),
    "an event of an unknown type": (
        OTHERS_ARE_ASKED["an event of an unknown type"],
        UpstreamFailed,
    ),
    "an empty stream": (OTHERS_ARE_ASKED["an empty stream"], UpstreamFailed),
    "a web page": (OTHERS_ARE_ASKED["a web page"], UpstreamFailed),
    "a JSON error": (OTHERS_ARE_ASKED["a JSON error"], UpstreamFailed),
    "an end before content": (OTHERS_ARE_ASKED["an end before content"], UpstreamFailed),
}


@pytest.mark.parametrize("what", NOBODY_LEFT)
def test_with_nobody_left_the_relay_says_what_happened(
    drive: Drive, a: Upstream, what: str
) -> None:
    answer, error = NOBODY_LEFT[what]
    driven = drive(config(provider("A", a, OURS)), lambda loaded: quick(loaded, first_byte_ms=60))
    a.says(answer)

    with pytest.raises(error) as raised:
        driven.ask()

    assert "A" in str(raised.value)
    assert OURS not in str(raised.value)
    assert len(a.requests) == 1


@pytest.mark.parametrize("status", [402, 429, 500, 502, 503, 504, 529])
def test_with_nobody_left_the_upstream_s_answer_passes_byte_for_byte(
    drive: Drive, a: Upstream, status: int
) -> None:
    driven = drive(config(provider("A", a, OURS)))
    body = b'{ "as" : "it came" }\n'
    a.says(says(status, {"Content-Type": "text/plain", "Retry-After": "7"}, body))

    served = driven.ask()

    assert (served.status, served.content) == (status, body)
    assert served.header("content-type") == "text/plain"
    assert served.header("content-length") == str(len(body))
    assert served.header("retry-after") == "7"


def test_a_rate_limit_event_becomes_a_429_with_the_event_s_error(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, OURS)))
    a.says(OTHERS_ARE_ASKED["rate_limit_error event"])

    served = driven.ask(STREAM_MSG)

    assert served.status == 429
    assert served.json()["error"] == {"type": "rate_limit_error", "message": "scripted"}


def test_the_last_of_several_answers_is_the_client_s(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, OURS, priority=2), provider("B", b, "kb")))
    a.says(says_error(503, "overloaded_error", "A"))
    b.says(says_error(500, "api_error", "B"))

    served = driven.ask()

    assert served.status == 500
    assert served.json() == messages.error("api_error", "B")


def test_an_answer_counts_more_than_a_later_connection_that_failed(
    drive: Drive, a: Upstream, closed_port: str
) -> None:
    driven = drive(config(provider("A", a, OURS, priority=2), provider("dead", closed_port, "k")))
    a.says(says_error(503, "overloaded_error", "A"))

    assert driven.ask().status == 503


def test_an_error_body_over_a_megabyte_is_not_kept(drive: Drive, a: Upstream, b: Upstream) -> None:
    driven = drive(config(provider("A", a, OURS, priority=2), provider("B", b, "kb")))
    a.says(says(503, {"Content-Type": "text/plain"}, b"x" * ((1 << 20) + 1)))
    b.says(says_nothing("close"))

    with pytest.raises(UpstreamFailed, match="B: "):
        driven.ask()


@pytest.mark.parametrize("answer", [says_nothing("close"), says_nothing("open")])
def test_a_request_that_may_have_been_acted_on_stays_with_one_provider_if_asked_for(
    drive: Drive, a: Upstream, b: Upstream, answer: Answer
) -> None:
    driven = drive(
        config(
            provider("A", a, OURS, priority=2),
            provider("B", b, "kb"),
            routing={"retry_ambiguous": False},
        ),
        lambda loaded: quick(loaded, first_byte_ms=60),
    )
    a.says(answer)

    with pytest.raises((UpstreamFailed, UpstreamTimedOut)):
        driven.ask()

    assert not b.requests


def test_a_connection_lost_is_never_tried_again_with_another_key(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    a.answers_with(says_nothing("close"))

    with pytest.raises(UpstreamFailed):
        driven.ask()

    assert len(a.requests) == 1
