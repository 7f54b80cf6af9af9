"""Corners of an exchange: rare answers, late answers, and what they leave behind."""

import json

import pytest

from relay.errors import RelayError
from relay.exchange.settle import Settlement
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, quick, read
from tests.scripted import messages
from tests.scripted.answers import says, says_error, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")))


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_an_answer_without_content_passes(driven: Driven, a: Upstream, method: str) -> None:
    a.says(says(204, {}, framing="length"))
    assert driven.ask(b"", path="/v1/files/x", method=method).status == 204


def test_head_passes(driven: Driven, a: Upstream) -> None:
    a.says(says_json({"id": "x"}))
    served = driven.ask(b"", path="/v1/files/x", method="HEAD")
    assert (served.status, served.content) == (200, b"")


def test_an_empty_file_passes(driven: Driven, a: Upstream) -> None:
    a.says(says(200, {"Content-Type": "application/octet-stream"}))
    assert driven.ask(b"", path="/v1/files/x/content", method="GET").status == 200


def test_a_file_that_is_a_web_page_passes(driven: Driven, a: Upstream) -> None:
    a.says(says(200, {"Content-Type": "text/html"}, b"<p>mine</p>"))
    assert driven.ask(b"", path="/v1/files/x/content", method="GET").content == b"<p>mine</p>"


def test_a_file_that_holds_an_error_document_passes(driven: Driven, a: Upstream) -> None:
    a.says(says_json(messages.error("api_error", "in a file")))
    assert driven.ask(b"", path="/v1/files/x/content", method="GET").status == 200


def test_a_passage_is_not_held_back(driven: Driven, a: Upstream) -> None:
    headers = {"Content-Type": "application/x-jsonl"}
    a.says(says(200, headers, b"1\n", 0.5, b"2\n", framing="chunked"))
    reply = driven.begin(b"", path="/v1/messages/batches/b/results", method="GET")
    assert not a.only().answered.is_set()
    read(reply)


def test_a_stream_of_another_kind_passes(driven: Driven, a: Upstream) -> None:
    events = messages.event("session.status", status="x") + messages.event("session.end")
    a.says(streams(events))
    served = driven.ask(b"", path="/v1/sessions/s/events", method="GET")
    assert (served.content, served.cut) == (events, False)


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_a_late_refusal_of_our_key_keeps_it_from_the_next(
    drive: Drive, a: Upstream, status: int
) -> None:
    driven = drive(
        config(provider("A", a, "k1", "k2")),
        lambda loaded: quick(loaded, first_event_ms=20, ping_interval_ms=20),
    )
    a.says(says_json(messages.error("x", "y"), status, before=(0.07,)))
    driven.ask(STREAM_MSG)
    for _ in range(2):
        driven.ask(MSG)
    assert [r.header("x-api-key") for r in a.requests] == ["k1", "k2", "k2"]


def test_a_late_success_restores_a_key_that_was_set_aside(drive: Drive, a: Upstream) -> None:
    driven = drive(
        config(provider("A", a, "k1")),
        lambda loaded: quick(loaded, first_event_ms=20, ping_interval_ms=20),
    )
    a.says(says_error(401, "authentication_error"), streams(before=(0.07,)))
    with pytest.raises(RelayError):
        driven.ask(STREAM_MSG)
    driven.ask(STREAM_MSG)
    assert not driven.runtime.unready()


@pytest.mark.parametrize(
    ("status", "sent", "kind"),
    [
        (401, {"x-api-key": "own"}, "authentication_error"),
        (403, {"x-api-key": "own"}, "permission_error"),
        (402, {}, "billing_error"),
        (401, {}, "api_error"),
        (403, {}, "api_error"),
    ],
)
def test_a_late_refusal_of_a_credential_has_its_type(
    drive: Drive, a: Upstream, status: int, sent: dict[str, str], kind: str
) -> None:
    driven = drive(
        config(provider("A", a, "k1")),
        lambda loaded: quick(loaded, first_event_ms=20, ping_interval_ms=20),
    )
    a.says(says_json(messages.error("x", "y"), status, before=(0.07,)))
    *_, (name, data) = messages.events(driven.ask(STREAM_MSG, sent).content)
    assert (name, data["error"]["type"]) == ("error", kind)


def test_a_count_is_never_committed_to_as_a_stream(drive: Drive, a: Upstream) -> None:
    driven = drive(
        config(provider("A", a, "k1")),
        lambda loaded: quick(loaded, first_event_ms=20, ping_interval_ms=20),
    )
    a.says(says_json({"input_tokens": 5}, before=(0.07,)))
    assert driven.ask(STREAM_MSG, path="/v1/messages/count_tokens").json() == {"input_tokens": 5}


def test_the_memory_of_counting_is_not_kept_for_another_address(
    driven: Driven, a: Upstream, b: Upstream
) -> None:
    a.says(says_error(404, "not_found_error"))
    driven.ask(path="/v1/messages/count_tokens")
    b.says(says_json({"input_tokens": 7}))
    moved = driven.renewed(config(provider("A", b, "k1")))
    assert moved.ask(path="/v1/messages/count_tokens").json() == {"input_tokens": 7}


def test_at_most_two_attempts_with_a_provider_beside_another(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        config(
            provider("A", a, "k1", "k2", "k3", priority=2),
            provider("B", b, "k1", "k2", "k3"),
            routing={"max_attempts": 10},
        )
    )
    for each in (a, b):
        each.answers_with(says_error(429, "rate_limit_error"))
    driven.ask()
    assert (len(a.requests), len(b.requests)) == (2, 2)


def test_a_key_set_aside_does_not_rest(driven: Driven, a: Upstream) -> None:
    a.says(says_error(401, "authentication_error"))
    with pytest.raises(RelayError):
        driven.ask()
    assert driven.runtime.unready() == []


def test_a_failed_attempt_tells_its_time(driven: Driven, a: Upstream, lines: Lines) -> None:
    a.says(says_error(500, "api_error"))
    driven.ask()
    (fields,) = lines.of("attempt failed")
    assert fields["ms"] >= 0


def test_what_cannot_be_given_back_keeps_nothing_else(driven: Driven, lines: Lines) -> None:
    given: list[str] = []

    def fails() -> None:
        raise OSError

    settlement = Settlement(driven.lasting, request_id="r", method="GET", path="/")
    settlement.owes(lambda: given.append("slot"))
    settlement.owes(fails)
    settlement.end(200, "complete")

    assert given == ["slot"]
    assert len(lines.ended) == 1


def test_headers_of_a_relayed_model_name_are_sendable(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1"), routing={"debug": True}))
    for name in ("a\nb", "caf\u00e9\u4e2d"):
        served = driven.ask(json.dumps({"model": name}).encode())
        for _, value in served.headers:
            assert "\n" not in value
            value.encode("latin-1")
