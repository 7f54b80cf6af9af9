"""Thinking blocks are known again, and any history becomes what the rules say."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import thinking
from tests.messages import naive_thinking
from tests.messages.conversation import (
    ASKED,
    CLEARS,
    CLEARS_TOOLS,
    OTHER,
    RESULT,
    SIG,
    TEXT,
    TOOL,
    key,
    members,
    redacted,
    said,
    thought,
)

# Digests.


def test_every_block_has_its_key_in_the_order_of_the_history() -> None:
    unsigned = {"type": "thinking", "thinking": "only \ud83d text"}
    blocks = [thought(), redacted(), unsigned, thought("", "é")]

    body = members({"messages": [ASKED, said(TEXT, *blocks[:2]), ASKED, said(*blocks[2:])]})

    assert thinking.digests(body) == tuple(map(key, blocks))


def test_the_keys_are_of_the_kind_too() -> None:
    blocks = [thought("same"), {"type": "thinking", "thinking": "same"}, redacted("same")]

    found = thinking.digests(members({"messages": [said(*blocks)]}))

    assert len(set(found)) == 3
    assert {len(digest) for digest in found} == {32}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "thinking",
        None,
        [ASKED, said(TEXT)],
        [{"role": "user", "content": [thought()]}],
        [{"role": "assistant", "content": json.dumps(thought())}],
        [{"role": "assistant", "content": thought()}],
        [thought(), "thinking", 7, None, [thought()]],
        [said(thought(None, ""), {"type": "thinking"}, redacted(""))],
        [said({"type": "tool_use", "input": thought()})],
    ],
)
def test_what_is_no_thinking_block_of_an_assistant_has_no_key(messages: object) -> None:
    body = members({"thinking": {"type": "adaptive"}, "messages": messages})

    assert thinking.digests(body) == ()


def test_a_message_has_the_keys_that_it_has_in_the_history() -> None:
    answer = {**said(thought(), TEXT, redacted()), "type": "message", "id": "msg_1"}

    assert thinking.digests_of_message(json.dumps(answer).encode()) == thinking.digests(
        members({"messages": [ASKED, answer]})
    )


@pytest.mark.parametrize("document", [b"", b"{}", b'["thinking"]', b'{"content":"thinking"}'])
def test_another_document_has_none(document: bytes) -> None:
    assert thinking.digests_of_message(document) == ()


# Whatever comes.

SIGNATURES: Final = st.sampled_from(
    [
        SIG,
        OTHER,
        "",
        "short",
        "a#b",
        "#",
        None,
        3,
        "half \ud83d",
        "skip_thought_signature_validator",
    ]
)
BLOCKS: Final = st.one_of(
    st.builds(thought, SIGNATURES, st.sampled_from(["", "hm", "é\ud800"]), x=st.sampled_from([1])),
    st.builds(lambda text: {"type": "thinking", "thinking": text}, st.sampled_from(["", "hm"])),
    st.builds(redacted, st.sampled_from(["", "a", "b"])),
    st.sampled_from([TEXT, {"type": "text", "text": ""}, TOOL, {**TOOL, "signature": "s"}]),
    st.sampled_from([RESULT["content"][0], {"type": ["thinking"]}, "thinking", None]),
)
MESSAGES: Final = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["assistant", "assistant", "assistant", "user", "system"]),
        st.lists(BLOCKS, max_size=5),
    ),
    st.sampled_from([ASKED, RESULT, {"role": "assistant", "content": "x"}, "odd", {}]),
)
ISSUERS: Final = st.dictionaries(
    st.sampled_from(
        [*map(key, [thought(), thought(OTHER), thought("", "hm"), redacted("a"), thought("short")])]
    ),
    st.sampled_from(["claude", "claude", "zai"]),
)


def written(value: object, draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    """The value with blanks in some places and without in others."""
    style = draw(st.sampled_from([(", ", ": ", None), (",", ":", None), (",", ":", 1)]))
    text = json.dumps(value, separators=style[:2], indent=style[2])
    return text.encode()


@given(st.lists(MESSAGES, max_size=7), ISSUERS, st.sampled_from(["gemini-x", "c"]), st.data())
def test_any_history_becomes_what_the_rules_say(
    messages: list[object], issuers: Mapping[bytes, str], model: str, choice: st.DataObject
) -> None:
    fields = {
        "thinking": {"type": choice.draw(st.sampled_from(["adaptive", "disabled"]))},
        "model": model,
        "messages": messages,
        "context_management": {
            "edits": choice.draw(st.lists(st.sampled_from([CLEARS, CLEARS_TOOLS])))
        },
    }
    names = choice.draw(st.permutations(sorted(fields)))
    body = {name: fields[name] for name in names}
    found = members(written(body, choice.draw))

    fit, words = thinking.fit(found, issuers=issuers, family="claude", model=model)

    assert json.loads(fit) == naive_thinking.fitted(body, issuers, "claude", model)
    assert (fit is found.body) == (not words)
