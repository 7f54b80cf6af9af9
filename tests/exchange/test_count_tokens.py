"""`count_tokens`: relayed where there is one, estimated where there is none (behaviour 4.10)."""

import json

import pytest

from relay.exchange.inbound import COUNT_TOKENS
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, Served
from tests.scripted.answers import says_error, says_json
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

HOUR_S = 3600
TOOLS = json.loads(MSG) | {
    "tools": [{"name": "t", "description": "what it does", "input_schema": {"type": "object"}}]
}


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")))


def count(driven: Driven, body: bytes = MSG) -> Served:
    return driven.ask(body, path=COUNT_TOKENS)


def test_a_count_of_the_upstream_is_relayed(driven: Driven, a: Upstream) -> None:
    a.says(says_json({"input_tokens": 4711}))

    assert count(driven).json() == {"input_tokens": 4711}
    assert a.only().target == COUNT_TOKENS
    assert a.only().body == MSG


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_upstream_without_counting_gets_an_estimate_and_an_hour_of_peace(
    driven: Driven, a: Upstream, status: int
) -> None:
    a.says(says_error(status, "not_found_error"))

    first, second = count(driven), count(driven, json.dumps(TOOLS).encode())

    assert first.status == second.status == 200
    assert set(first.json()) == {"input_tokens"}
    assert 1 <= first.json()["input_tokens"] < second.json()["input_tokens"]
    assert first.header("content-type") == "application/json"
    assert first.header("content-length") == str(len(first.content))
    assert len(a.requests) == 1

    driven.clock.ahead_s += HOUR_S - 60
    count(driven)
    assert len(a.requests) == 1
    driven.clock.ahead_s += 120
    a.says(says_json({"input_tokens": 5}))
    assert count(driven).json() == {"input_tokens": 5}
    assert len(a.requests) == 2


def test_the_memory_concerns_counting_alone(driven: Driven, a: Upstream) -> None:
    a.says(says_error(404, "not_found_error"))
    count(driven)

    assert driven.ask().status == 200
    assert [request.target for request in a.requests] == [COUNT_TOKENS, "/v1/messages"]


def test_a_404_to_a_message_is_relayed_and_remembered_by_nobody(
    driven: Driven, a: Upstream
) -> None:
    a.says(says_error(404, "not_found_error"), says_json({"input_tokens": 9}))

    assert driven.ask().status == 404
    assert count(driven).json() == {"input_tokens": 9}


def test_the_memory_outlives_a_reload(driven: Driven, a: Upstream) -> None:
    a.says(says_error(404, "not_found_error"))
    count(driven)

    count(driven.renewed(config(provider("A", a, "k1", "k2"))))

    assert len(a.requests) == 1


def test_the_memory_of_one_provider_is_not_another_s(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "ka"), provider("B", b, "kb")))
    a.says(says_error(404, "not_found_error"))
    count(driven)
    driven.renewed(config(provider("B", b, "kb")))
    b.says(says_json({"input_tokens": 6}))

    assert count(driven).json() == {"input_tokens": 6}


def test_an_estimate_settles_and_keeps_no_key(driven: Driven, a: Upstream, lines: Lines) -> None:
    a.says(says_error(404, "not_found_error"))

    count(driven)
    count(driven)

    assert [(ended["status"], ended["attempts"]) for ended in lines.ended] == [(200, 1), (200, 0)]
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"model":7}'])
def test_an_odd_body_is_estimated_all_the_same(driven: Driven, a: Upstream, body: bytes) -> None:
    a.says(says_error(404, "not_found_error"))

    assert count(driven, body).json()["input_tokens"] >= 1


def test_other_failures_of_a_count_fail_over_like_messages(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "ka", priority=2), provider("B", b, "kb")))
    a.says(says_error(503, "overloaded_error"))
    b.says(says_json({"input_tokens": 8}))

    assert count(driven).json() == {"input_tokens": 8}
