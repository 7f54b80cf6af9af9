"""Whose conversation a request belongs to."""

import json
from typing import Any

import pytest

from relay.messages import edit
from relay.routing.session import MAX_SESSION_CHARS, is_sub_agent, session_id

HEADER = "x-claude-code-session-id"


def session_of(body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    return session_id(headers or {}, edit.members(json.dumps(body).encode()))


def test_the_header_comes_first() -> None:
    body = {"metadata": {"user_id": json.dumps({"session_id": "of the body"})}}

    assert session_of(body, {HEADER: " of the header "}) == "of the header"


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        (json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s-1"}), "s-1"),
        ("user_abc_account__session_0f3e-77", "0f3e-77"),
        ("a_session_b_session_c", "c"),
        (json.dumps({"session_id": "", "x": "_session_"}), '"}'),
        (json.dumps({"session_id": 7}), ""),
        (json.dumps(["session_id"]), ""),
        ("{broken", ""),
        ("user_abc", ""),
        ("user_session_", ""),
        ("", ""),
        ("\ud83d cut_session_s-2", "s-2"),
    ],
)
def test_else_the_user_id_names_it_as_json_or_by_its_suffix(user_id: str, expected: str) -> None:
    assert session_of({"model": "m", "metadata": {"user_id": user_id}}) == expected


def test_an_empty_header_leaves_it_to_the_body() -> None:
    assert session_of({"metadata": {"user_id": "x_session_s"}}, {HEADER: "  "}) == "s"


@pytest.mark.parametrize(
    "body", [{}, {"metadata": None}, {"metadata": "x"}, {"metadata": {"user_id": 5}}]
)
def test_a_request_that_names_none_has_none(body: dict[str, Any]) -> None:
    assert session_of(body) == ""


def test_a_body_that_cannot_be_read_has_none() -> None:
    assert session_id({}, None) == ""


def test_a_long_id_stands_as_a_short_one_of_its_own() -> None:
    long = "x" * (MAX_SESSION_CHARS + 1)

    short = session_id({HEADER: long}, None)

    assert len(short) == 32
    assert short == session_id({HEADER: long}, None)
    assert short != session_id({HEADER: long + "x"}, None)
    assert session_id({HEADER: long[1:]}, None) == long[1:]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-claude-code-agent-id": "0123456789abcdef0"}, True),
        ({"x-claude-code-agent-id": ""}, False),
        ({"x-claude-code-agent-id": " "}, False),
        ({}, False),
    ],
)
def test_who_has_an_agent_id_is_a_sub_agent(headers: dict[str, str], expected: object) -> None:
    assert is_sub_agent(headers) is expected
