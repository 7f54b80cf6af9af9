"""The gate commits a plain answer when it is complete, and refuses what is no message."""

import gzip

import pytest

from relay.errors import ClientLeft, UpstreamBroken, UpstreamIdle
from relay.messages.usage import Usage
from relay.stream.drain import Draining
from relay.stream.gate import MAX_HELD_BYTES
from relay.stream.watch import PlainWatch
from tests.stream.judged import committed, judged, refused

MESSAGE = b'{"type":"message","content":[],"usage":{"input_tokens":2,"output_tokens":1}}'


@pytest.mark.parametrize("thrown", [ClientLeft(), Draining()])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_what_is_thrown_into_the_wait_passes_through(thrown: Exception, content_type: str) -> None:
    with pytest.raises(type(thrown)):
        judged((1, thrown), content_type=content_type)


def test_a_plain_answer_is_committed_complete() -> None:
    verdict, after_s = committed(
        (1, MESSAGE[:9]), (5, MESSAGE[9:]), content_type="application/json"
    )

    assert (verdict.held, verdict.complete, after_s) == (MESSAGE, True, 5)
    assert isinstance(verdict.watch, PlainWatch)
    assert verdict.watch.usage == Usage(2, 1)


def test_a_plain_answer_has_no_gate_limits() -> None:
    _, after_s = committed((500, MESSAGE), content_type="application/json")

    assert after_s == 500


def test_of_a_long_plain_answer_a_megabyte_is_held() -> None:
    verdict, after_s = committed(
        *[(at, b"x" * 65_536) for at in range(100)], content_type="application/json"
    )

    assert (len(verdict.held), verdict.complete, after_s) == (MAX_HELD_BYTES, False, 15)


def test_an_empty_content_list_is_a_message() -> None:
    assert committed((1, MESSAGE), content_type="application/json")[0].held == MESSAGE


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain"])
def test_an_empty_plain_answer_is_refused(content_type: str) -> None:
    assert refused(content_type=content_type).kind == "empty"


def test_a_web_page_is_refused_unread() -> None:
    assert refused((99, b"<html>"), content_type="text/html; charset=utf-8").kind == "html"


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_json_error_is_refused_with_what_it_says(coding: str) -> None:
    error = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    body = gzip.compress(error) if coding else error

    verdict = refused((1, body), content_type="application/json", coding=coding)

    assert (verdict.kind, verdict.error_type) == ("error_json", "rate_limit_error")
    assert (verdict.message, verdict.body) == ("slow", error)


@pytest.mark.parametrize(
    ("error", "kind"), [(UpstreamBroken("reset"), "broken"), (UpstreamIdle("silent"), "idle")]
)
def test_a_plain_answer_that_breaks_off_is_refused(error: Exception, kind: str) -> None:
    assert refused((1, MESSAGE), (2, error), content_type="application/json").kind == kind
