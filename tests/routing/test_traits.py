"""What a request is like, read from its body and headers."""

import json
from typing import Any

import pytest

from tests.routing.asked import asked

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aQ"}}
TEXT = {"type": "text", "text": 'it says "image", and {"type":"image"} too'}


def said(*content: Any, role: str = "user") -> dict[str, Any]:
    """A request with one message of these blocks."""
    return {"messages": [{"role": "user", "content": "hi"}, {"role": role, "content": content}]}


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"type": "enabled", "budget_tokens": 31999}, True),
        ({"type": "adaptive", "display": "omitted"}, True),
        ({"type": "disabled"}, False),
        ({"type": 1}, False),
        ("enabled", False),
        (None, False),
    ],
)
def test_thinking_is_asked_for_when_enabled_or_adaptive(thinking: Any, expected: object) -> None:
    assert asked({"thinking": thinking}).thinking is expected


def test_thinking_is_not_asked_for_when_nothing_is_said_of_it() -> None:
    assert asked(said({"type": "thinking", "thinking": "t"}, role="assistant")).thinking is False


def test_tools_count_by_the_types_they_state() -> None:
    tools = [
        {"name": "Bash", "input_schema": {"type": "object"}},
        {"name": "Own", "type": "custom"},
        {"name": "web_search", "type": "web_search_20250305"},
        {"name": "odd", "type": None},
    ]

    assert asked({"tools": tools}).tool_types == {"custom", "web_search_20250305"}


@pytest.mark.parametrize("tools", [[], None, "web_search", [{"type": 5}], ["web_search"]])
def test_tools_of_another_shape_state_no_types(tools: Any) -> None:
    assert asked({"tools": tools}).tool_types == frozenset()


@pytest.mark.parametrize(
    "body",
    [
        said(IMAGE),
        said(TEXT, IMAGE),
        said({"type": "tool_result", "tool_use_id": "t", "content": [TEXT, IMAGE]}),
        said({"type": "tool_result", "content": "none"}, {"type": "odd", "content": {}}, IMAGE),
        {"messages": [{"role": "user", "content": [IMAGE]}, {"role": "odd"}, {"content": 5}]},
    ],
)
def test_an_image_is_found_in_what_the_user_says_and_what_tools_return(
    body: dict[str, Any],
) -> None:
    assert asked(body).images is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "image"},
        {"messages": ["image"]},
        said(TEXT),
        said({"type": "text", "text": "image"}, {"type": "tool_use", "input": {"type": "image"}}),
        said(IMAGE, role="assistant"),
        said({"type": "tool_result", "content": "image"}),
        said({"type": "document", "source": {"type": "content", "content": [IMAGE]}}),
        said({"type": "document", "name": "image", "content": [IMAGE]}),
    ],
)
def test_what_only_mentions_images_holds_none(body: dict[str, Any]) -> None:
    assert asked(body).images is False


def test_an_image_is_found_however_its_type_is_written() -> None:
    escaped = json.dumps(said(IMAGE)).replace('"type": "image"', r'"type": "\u0069mage"')

    assert asked(escaped.encode()).images is True


def test_an_image_is_found_beside_half_a_character() -> None:
    assert asked(said({"type": "text", "text": "\ud83d cut"}, IMAGE)).images is True


def test_a_body_that_cannot_be_read_has_no_traits() -> None:
    traits = asked(b'{"messages": [{"role": "user", "content": [{"type": "image"')

    assert (traits.thinking, traits.images, traits.tool_types) == (False, False, frozenset())


def test_a_name_that_stands_twice_says_nothing() -> None:
    twice = b'{"thinking": {"type": "enabled"}, "thinking": {"type": "enabled"}}'

    assert asked(twice).thinking is False


def test_a_sub_agent_is_known_by_its_header() -> None:
    assert asked(headers={"x-claude-code-agent-id": "0a1b"}).agent == "sub"
    assert asked().agent == "main"


def test_the_size_is_estimated_once() -> None:
    sizes = iter([5])
    traits = asked(estimated_tokens=lambda: next(sizes))

    assert (traits.input_tokens, traits.input_tokens) == (5, 5)
