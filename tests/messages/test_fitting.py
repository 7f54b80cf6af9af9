"""A history goes to each target as it may see it; the cases of behaviour A.12 by their numbers."""

import json
from typing import Any

import pytest

from relay.messages import thinking
from tests.messages.conversation import (
    ASKED,
    FILLING,
    RESULT,
    SIG,
    TEXT,
    TOOL,
    fitted,
    history,
    key,
    members,
    redacted,
    said,
    thought,
    turn,
)

# What stays as it is.


@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, said(TEXT), ASKED],
        [ASKED, said(thought(), TEXT, TOOL), RESULT],
        [ASKED, said(redacted(), thought(), TEXT), ASKED],  # case 92
        [ASKED, said(thought(), TEXT, thought()), ASKED],
        [ASKED, said(redacted(), TEXT), ASKED],
        [{"role": "user", "content": [thought("short"), TEXT]}, said(TEXT)],  # case 90
        [ASKED, {"role": "assistant", "content": json.dumps(thought("short"))}],  # case 90
        [ASKED, said({**TOOL, "signature": "no thinking, not looked at"}), RESULT],
        [ASKED, said({**TOOL, "input": {"signature": "mine"}}, thought()["type"]), RESULT],
    ],
)
def test_a_history_without_fault_goes_out_as_the_same_object(messages: object) -> None:
    body = members({"messages": messages, "thinking": {"type": "adaptive"}})

    fit = thinking.fit(body, issuers={}, family="claude", model="claude-x")

    assert fit[0] is body.body
    assert fit[1] == ()


@pytest.mark.parametrize("block", [thought("#"), thought(""), thought("s"), redacted()])
def test_a_known_block_stays_whatever_it_is_and_wherever_it_stands(block: dict[str, Any]) -> None:
    ours = {key(block): "claude"}

    assert turn(TEXT, block, TOOL, issuers=ours) == [TEXT, block, TOOL]


# Unknown blocks.


@pytest.mark.parametrize(("signature", "left"), [("claude#SIG", "SIG"), ("a#b#c", "b#c")])
def test_case_85_what_follows_the_first_hash_is_the_signature(signature: str, left: str) -> None:
    assert turn(thought(signature, more=[1.50])) == [thought(left, more=[1.50])]


@pytest.mark.parametrize("signature", ["", "short", "x" * 49, None, 7, "claude#", "#"])
def test_case_86_an_invalid_block_goes_and_the_text_beside_it_stays(signature: object) -> None:
    assert turn(thought(signature), TEXT) == [TEXT]


def test_case_86_unknown_fields_of_a_block_that_stays_survive_byte_for_byte() -> None:
    kept = b'{ "type":"thinking","n":1.0e5,"thinking":"\\u00e9","signature":"%b"}' % SIG.encode()
    body = b'{"messages":[{"role":"assistant","content":[{"type":"thinking"} ,\n %b]}]}' % kept

    fit, _ = thinking.fit(members(body), issuers={}, family="claude", model="")

    assert fit == b'{"messages":[{"role":"assistant","content":[%b]}]}' % kept


def test_case_87_unknown_thinking_moves_to_the_front() -> None:
    last = {"type": "text", "text": "last"}

    found = turn(TEXT, thought(), last, redacted())

    assert found == [thought(), redacted(), TEXT, last]


def test_case_87_after_an_invalid_block_has_gone_the_next_one_leads() -> None:
    assert turn(thought(""), TEXT, thought()) == [thought(), TEXT]


def test_a_turn_with_a_known_block_keeps_its_order() -> None:
    ours = {key(redacted()): "claude"}

    assert turn(TEXT, thought(), redacted(), issuers=ours) == [TEXT, thought(), redacted()]


def test_case_91_the_word_that_gemini_accepts_stays_for_gemini_alone() -> None:
    block = thought("skip_thought_signature_validator")
    messages = (ASKED, said(block, TEXT), ASKED)

    assert fitted(*messages, model="gemini-x")["messages"] == list(messages)
    assert fitted(*messages, model="claude-x")["messages"][1]["content"] == [TEXT]


def test_in_a_history_with_thinking_tools_lose_their_signature() -> None:
    signed = {**TOOL, "signature": "x", "input": {"signature": "stays"}}
    bare = {**TOOL, "input": {"signature": "stays"}}

    found = history(ASKED, said(signed), RESULT, said(thought(), signed, TEXT), RESULT)

    assert found[1] == said(bare)
    assert found[3] == said(thought(), bare, TEXT)


# Foreign blocks.


def test_one_foreign_block_takes_everything_along_that_is_not_known_to_be_ours() -> None:
    ours, foreign = thought("O" * 60), thought("F" * 60)
    issuers = {key(ours): "claude", key(foreign): "zai"}
    first, second = said(ours, redacted(), TEXT), said(thought(), foreign, TEXT)

    found = history(ASKED, first, ASKED, second, ASKED, issuers=issuers)

    assert found == [ASKED, said(ours, TEXT), ASKED, said(TEXT), ASKED]


def test_the_log_is_told_what_was_done() -> None:
    issuers = {key(thought()): "zai"}
    messages = [ASKED, said(thought(), TEXT), ASKED, said(thought()), ASKED, said(redacted())]

    _, words = thinking.fit(
        members({"messages": messages}), issuers=issuers, family="claude", model=""
    )

    assert words == (
        "thinking: 3 foreign blocks left out",
        "thinking: 1 emptied message left out",
        "thinking: 1 emptied message filled",
    )


# Messages with nothing left (11.4).


def test_case_88_a_last_message_with_nothing_left_goes() -> None:
    assert history(ASKED, said(thought(""))) == [ASKED]


def test_case_89_between_two_user_messages_it_stays_with_a_text() -> None:
    assert history(ASKED, said(thought("")), ASKED) == [ASKED, said(FILLING), ASKED]


def test_before_a_tool_result_it_stays_with_a_text() -> None:
    assert history(said(thought("")), RESULT) == [said(FILLING), RESULT]
    assert history(said(TOOL), said(thought("")), RESULT)[1] == said(FILLING)


@pytest.mark.parametrize(
    ("before", "after"), [([], [ASKED]), ([said(TEXT)], [ASKED]), ([ASKED], [said(TEXT)])]
)
def test_first_or_beside_another_turn_it_goes(before: list[object], after: list[object]) -> None:
    assert history(*before, said(thought("")), *after) == before + after


def test_of_two_in_a_row_between_users_one_stays() -> None:
    assert history(ASKED, said(thought("")), said(thought("")), ASKED) == [
        ASKED,
        said(FILLING),
        ASKED,
    ]


def test_a_system_message_between_does_not_count() -> None:
    system = {"role": "system", "content": "be brief"}

    found = history(ASKED, system, said(thought("")), system, ASKED)

    assert found == [ASKED, system, said(FILLING), system, ASKED]


def test_no_turn_that_loses_a_block_keeps_an_empty_text() -> None:
    empty = {"type": "text", "text": ""}

    assert turn(thought(""), empty, TEXT) == [TEXT]
    assert turn(thought(""), empty) == [FILLING]
    assert turn(thought(), empty) == [thought(), empty]
