"""Tokens are the upstream's last word, never a sum."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import usage
from relay.messages.usage import NO_USAGE, Usage


def test_a_message_start_tells_what_went_in() -> None:
    document = b"""{"type":"message_start","message":{"content":[],"usage":{"input_tokens":10,
        "cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":1}}}"""

    assert usage.from_start(document, NO_USAGE) == Usage(10, 1, 30, 20)


def test_a_later_figure_replaces_and_is_never_added() -> None:
    begun = Usage(input_tokens=10, output_tokens=1, cache_read=30, cache_write=20)

    first = usage.from_message(b'{"usage":{"output_tokens":40}}', begun)
    second = usage.from_message(b'{"usage":{"output_tokens":55,"input_tokens":11}}', first)

    assert first == Usage(10, 40, 30, 20)
    assert second == Usage(11, 55, 30, 20)


@pytest.mark.parametrize(
    "junk", [b"-1", b'"7"', b"null", b"true", b"1.5", b"[]", b"1e3", b"9" * 30, b"9007199254740992"]
)
def test_what_is_no_count_is_ignored(junk: bytes) -> None:
    document = b'{"usage":{"output_tokens":' + junk + b',"input_tokens":4}}'

    assert usage.from_message(document, Usage(output_tokens=3)) == Usage(4, 3)


@given(st.binary() | st.sampled_from([b"{}", b'{"usage":[]}', b'{"message":{"usage":3}}', b"[1]"]))
def test_junk_changes_nothing(document: bytes) -> None:
    begun = Usage(1, 2, 3, 4)

    assert usage.from_start(document, begun) == begun
    assert usage.from_message(document, begun) == begun


def test_nesting_without_end_changes_nothing() -> None:
    document = b'{"usage":' + b'{"a":' * 100_000

    assert usage.from_message(document, NO_USAGE) == NO_USAGE
    assert usage.from_tail(document) == NO_USAGE


def test_the_tail_of_a_long_message_gives_its_usage() -> None:
    message = {
        "content": [{"type": "text", "text": '"usage":{"input_tokens":1}'}],
        "usage": {"input_tokens": 8, "cache_creation": {"x": 1}, "output_tokens": 9},
        "stop": None,
    }

    assert usage.from_tail(json.dumps(message, separators=(",", ":")).encode()[20:]) == Usage(8, 9)


@pytest.mark.parametrize("tail", [b"", b'"usage":', b'"usage":{"input_tokens":', b"\xff\xfe"])
def test_a_tail_without_usage_counts_nothing(tail: bytes) -> None:
    assert usage.from_tail(tail) == NO_USAGE
