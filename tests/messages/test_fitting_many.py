"""A body of any shape is fitted in a time that grows with its length, and no faster.

A worker does nothing else meanwhile. Each body here took seconds where one place went over all
others again for each.
"""

import json
import time
from typing import Any, Final

import pytest

from relay.messages import edit, thinking
from tests.messages.conversation import (
    ASKED,
    CLEARS,
    RESULT,
    TEXT,
    TOOL,
    key,
    members,
    redacted,
    said,
    thought,
)

BAD: Final = thought("short")
FOREIGN: Final = {key(thought()): "zai"}
LIMIT_S: Final = 1.0


def many(number: int, *values: object) -> list[Any]:
    return list(values) * number


BODIES: Final[dict[str, Any]] = {
    "assistant messages in a row": [ASKED, said(BAD), *many(100_000, said()), ASKED],
    "messages that go": [ASKED, *many(20_000, said(BAD)), ASKED],
    "messages that go, each after a question": many(10_000, ASKED, said(BAD)),
    "messages of system between those that go": [
        *many(10_000, {"role": "system", "content": "x"}, said(BAD)),
        ASKED,
    ],
    "signed tools in one message": [
        ASKED,
        said(BAD, *many(20_000, {**TOOL, "signature": "s"})),
        RESULT,
    ],
    "thoughts in one message": [ASKED, said(TEXT, *many(30_000, BAD, thought())), ASKED],
    "thoughts behind a prefix": [ASKED, said(TEXT, *many(20_000, thought("a#b"))), ASKED],
    "results of tools": [ASKED, said(BAD, TOOL), *many(40_000, RESULT)],
}


@pytest.mark.parametrize("name", BODIES)
def test_many_of_anything_are_fitted_in_a_moment(name: str) -> None:
    body = members({"messages": BODIES[name], "thinking": {"type": "enabled"}})

    assert took_s(body) < LIMIT_S


def test_many_edits_of_the_context_go_in_a_moment() -> None:
    body = members(
        {
            "messages": [ASKED, said(thought(), TOOL), RESULT],
            "thinking": {"type": "enabled"},
            "context_management": {"edits": many(20_000, CLEARS, {"type": "other"})},
        }
    )

    assert took_s(body) < LIMIT_S


def took_s(body: edit.Members) -> float:
    """Seconds of work until the body is what it becomes."""
    began = time.process_time()
    found, words = thinking.fit(body, issuers=FOREIGN, family="claude", model="claude-x")
    took = time.process_time() - began
    assert words
    assert found != body.body
    return took


def test_of_a_plain_answer_with_very_many_blocks_the_last_are_known() -> None:
    blocks = [redacted(str(number)) for number in range(3000)]

    found = thinking.digests_of_message(json.dumps(said(*blocks)).encode())

    assert found == tuple(map(key, blocks[-1024:]))
