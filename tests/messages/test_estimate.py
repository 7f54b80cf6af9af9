"""The estimate counts what costs tokens, and junk costs no exception."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages.estimate import estimate


def request(content: object = "", **fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode()


def test_texts_count_by_their_bytes() -> None:
    assert estimate(request("x" * 36)) == 10
    assert estimate(request([{"type": "text", "text": "é" * 18}])) == 10
    assert estimate(request("x" * 36), bytes_per_token=2) == 18
    assert estimate(request("", system="x" * 36)) == 10
    assert estimate(request("", system=[{"type": "text", "text": "x" * 36}])) == 10


def test_a_body_with_tools_counts_more() -> None:
    tool = {"name": "read", "description": "Read a file", "input_schema": {"type": "object"}}

    assert estimate(request("hi", tools=[tool])) > estimate(request("hi")) + 15


def test_tool_inputs_and_results_count() -> None:
    given_input = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"p": "x" * 99}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x" * 99}
    nested = {**result, "content": [{"type": "text", "text": "x" * 99}]}

    assert 28 <= estimate(request([given_input])) <= 35
    assert estimate(request([result])) == estimate(request([nested])) == 28


def test_an_image_counts_1600_wherever_it_stands() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 50_000}}
    result = {"type": "tool_result", "content": [image]}

    assert estimate(request([image])) == 1600
    assert estimate(request([image, result])) == 3200


def pdf(document: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(document).decode()
    return {"type": "document", "source": {"type": "base64", "data": encoded}}


def test_a_document_counts_2000_a_page() -> None:
    three_pages = b"<</Type /Pages>>" + b"<</Type/Page>>" * 2 + b"<< /Type /Page /Parent 1 >>"

    assert estimate(request([pdf(three_pages)])) == 6000


def test_a_document_of_unknown_pages_counts_2000_for_3_kb() -> None:
    assert estimate(request([pdf(b"x" * 3072 * 4)])) == 8000
    assert estimate(request([pdf(b"x" * (3072 * 4 + 1))])) == 10_000
    assert estimate(request([{"type": "document", "source": {"type": "url"}}])) == 2000


def test_a_document_that_is_text_counts_as_text() -> None:
    text = {"type": "document", "source": {"type": "text", "data": "x" * 36}}
    blocks = {"type": "content", "content": [{"type": "text", "text": "x" * 36}]}

    assert estimate(request([text])) == 10
    assert estimate(request([{"type": "document", "source": blocks}])) == 10


def test_what_is_unknown_counts_by_its_json() -> None:
    assert estimate(request([{"type": "new", "content": "x" * 360}])) > 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"messages":3,"system":{},"tools":"x"}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_junk_is_at_least_one_token(body: bytes) -> None:
    assert estimate(body) >= 1


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5))
def test_no_content_raises(content: object) -> None:
    assert estimate(request(content)) >= 1


def test_half_a_character_does_not_hide_the_rest() -> None:
    assert estimate(request("\ud83d" + "x" * 3600)) >= 1000
