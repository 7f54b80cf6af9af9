"""A running tool loop that loses its thinking goes on without (behaviour 11.3)."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.messages.conversation import (
    ASKED,
    CLEARS,
    CLEARS_TOOLS,
    RESULT,
    TEXT,
    TOOL,
    fitted,
    key,
    redacted,
    said,
    thought,
)

FOREIGN: Final = {key(thought()): "zai"}


def test_a_tool_loop_that_loses_its_thinking_runs_on_without() -> None:
    found = fitted(
        ASKED,
        said(thought(), TOOL),
        RESULT,
        issuers=FOREIGN,
        thinking={"type": "adaptive"},
        context_management={"edits": [CLEARS]},
        stream=True,
    )

    assert found == {"model": "m", "messages": [ASKED, said(TOOL), RESULT], "stream": True}


@pytest.mark.parametrize(
    ("context", "left"),
    [
        ({"edits": [CLEARS, CLEARS_TOOLS]}, {"edits": [CLEARS_TOOLS]}),
        ({"edits": [CLEARS_TOOLS, CLEARS]}, {"edits": [CLEARS_TOOLS]}),
        ({"edits": [CLEARS], "more": 1}, {"edits": [], "more": 1}),
        ({"edits": []}, {"edits": []}),
        ({"edits": "x"}, {"edits": "x"}),
        ("x", "x"),
    ],
)
def test_what_does_not_need_thinking_stays(context: object, left: object) -> None:
    found = fitted(
        ASKED,
        said(thought(), TOOL),
        RESULT,
        issuers=FOREIGN,
        context_management=context,
        thinking={"type": "adaptive"},
    )

    assert found["context_management"] == left
    assert "thinking" not in found


@pytest.mark.parametrize(
    ("messages", "issuers"),
    [
        ([ASKED, said(thought(), TOOL), RESULT, said(TEXT), ASKED], FOREIGN),
        ([ASKED, said(thought(), TEXT), ASKED], FOREIGN),
        ([ASKED, said(thought(), redacted(), TOOL), RESULT], FOREIGN | {key(redacted()): "claude"}),
        ([ASKED, said(thought("")), ASKED, said(TEXT, TOOL), RESULT], {}),
    ],
)
def test_where_no_loop_has_lost_its_lead_thinking_stays_on(
    messages: list[object], issuers: Mapping[bytes, str]
) -> None:
    found = fitted(*messages, issuers=issuers, thinking={"type": "adaptive"})

    assert found["thinking"] == {"type": "adaptive"}


def test_thinking_that_was_off_stays_off() -> None:
    off = {"type": "disabled"}

    found = fitted(ASKED, said(thought(), TOOL), RESULT, issuers=FOREIGN, thinking=off)

    assert found["thinking"] == off


def test_assistant_messages_in_a_row_are_one_turn_of_the_loop() -> None:
    off = fitted(ASKED, said(thought()), said(TOOL), RESULT, issuers=FOREIGN, thinking={})

    assert "thinking" not in off
    assert off["messages"] == [ASKED, said(TOOL), RESULT]


def test_a_last_message_that_goes_leaves_the_loop_before_it_running() -> None:
    messages = (ASKED, said(thought(), TOOL), RESULT, said(thought()))

    assert "thinking" not in fitted(*messages, issuers=FOREIGN, thinking={})
