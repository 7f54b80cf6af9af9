"""What becomes of thinking nobody here has issued, on the wire (A.12: 85 to 92; behaviour 11.3)."""

import json

import pytest

from tests.scripted.fleet import Fleet
from tests.scripted.histories import (
    ASKS_ON,
    TEXT,
    USER,
    assistant,
    redacted,
    request,
    signature,
    thinking,
    tool_result,
    tool_use,
)

SKIP = "skip_thought_signature_validator"
OMITTED = "(reasoning omitted)"
INVALID = ["", "short", "x" * 49, None, SKIP]


@pytest.fixture(scope="module")
def one(_fleet: Fleet) -> Fleet:
    """The relay before one provider, for the whole module: nothing here is remembered."""
    _fleet.renew()
    _fleet.put(_fleet.entry("A"))
    return _fleet


def _sent(one: Fleet, body: bytes) -> bytes:
    """What the provider receives for this."""
    one["A"].forget()
    assert one.post(body).status == 200
    return one["A"].only().body


@pytest.mark.parametrize(
    ("before", "after"), [("claude#", ""), ("#", ""), ("a#b#", "b#"), ("modelgroup#x#y#", "x#y#")]
)
def test_a_signature_loses_its_prefix(one: Fleet, before: str, after: str) -> None:
    signed = signature()
    body = request(USER, assistant(thinking(before + signed), TEXT), ASKS_ON)
    expected = request(USER, assistant(thinking(after + signed), TEXT), ASKS_ON)
    assert _sent(one, body) == expected


def test_a_prefix_alone_is_no_signature(one: Fleet) -> None:
    body = request(USER, assistant(thinking("p" * 60 + "#"), TEXT), ASKS_ON)
    assert _sent(one, body) == request(USER, assistant(TEXT), ASKS_ON)


@pytest.mark.parametrize("invalid", INVALID)
def test_an_invalid_block_goes_and_the_rest_keeps_its_bytes(
    one: Fleet, invalid: str | None
) -> None:
    odd = '{ "type" : "text", "text":"\\u00fc \\/ 1", "unknown": [9007199254740993, 1.0e2] }'
    body = request(USER, assistant(thinking(invalid), odd), ASKS_ON)
    assert _sent(one, body) == request(USER, assistant(odd), ASKS_ON)


def test_a_valid_block_keeps_its_bytes(one: Fleet) -> None:
    signed = signature()
    odd = (
        f'{{ "unknown": {{"deep": [1.50, "\\u00e4"]}}, "signature" : "{signed}", '
        '"thinking":"a \\/ b", "type":"thinking" }'
    )
    body = request(USER, assistant(odd, TEXT, tool_use()), tool_result())
    assert _sent(one, body) == body
    prefixed = body.replace(signed.encode(), b"claude#" + signed.encode())
    assert _sent(one, prefixed) == body


def test_fifty_characters_are_enough(one: Fleet) -> None:
    body = request(USER, assistant(thinking("x" * 50), TEXT), ASKS_ON)
    assert _sent(one, body) == body


def test_thinking_comes_first(one: Fleet) -> None:
    first, second, hidden = thinking(signature()), thinking(signature()), redacted("data")
    other = '{"type":"text","text":"then"}'
    turns = {
        (TEXT, first): (first, TEXT),
        (TEXT, hidden, other, first): (hidden, first, TEXT, other),
        (TEXT, first, tool_use(), second): (first, second, TEXT, tool_use()),
        (hidden, first, TEXT): (hidden, first, TEXT),
        (first, TEXT, second, other): (first, TEXT, second, other),  # the first stands first
        (TEXT, thinking("short"), first): (first, TEXT),
    }
    for came, goes in turns.items():
        after = tool_result() if tool_use() in came else ASKS_ON
        sent = _sent(one, request(USER, assistant(*came), after))
        assert sent == request(USER, assistant(*goes), after), came


def test_a_message_with_nothing_left_at_the_end_goes(one: Fleet) -> None:
    body = request(USER, assistant(thinking("")))
    assert _sent(one, body) == request(USER)


def test_a_message_with_nothing_left_at_the_beginning_goes(one: Fleet) -> None:
    body = request(assistant(thinking("")), USER)
    assert _sent(one, body) == request(USER)


def test_a_message_with_nothing_left_beside_another_goes(one: Fleet) -> None:
    other = assistant(TEXT)
    for turns in ((assistant(thinking("")), other), (other, assistant(thinking("")))):
        body = request(USER, *turns, ASKS_ON)
        assert _sent(one, body) == request(USER, other, ASKS_ON)


@pytest.mark.parametrize("after", [ASKS_ON, tool_result()], ids=["text", "tool result"])
def test_a_message_with_nothing_left_between_two_users_keeps_its_place(
    one: Fleet, after: str
) -> None:
    body = request(USER, assistant(thinking(""), thinking("short")), after)
    sent = json.loads(_sent(one, body))
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"] == [{"type": "text", "text": OMITTED}]
    assert sent["messages"][2] == json.loads(after)


def test_nothing_but_assistant_lists_is_looked_at(one: Fleet) -> None:
    looks = thinking("short")
    quoted = json.dumps(f"{looks} claude#{signature()}")
    bodies = [
        request(f'{{"role":"user","content":[{looks},{TEXT}]}}'),
        request(USER, f'{{"role":"assistant","content":{quoted}}}', ASKS_ON),
        request(f'{{"role":"user","content":{quoted}}}', assistant(TEXT), ASKS_ON),
        request(USER, assistant(tool_use(more=f',"input2":[{looks}]')), tool_result()),
        request(USER, more=f',"system":[{looks}],"metadata":{{"x":{looks}}}'),
        request(USER, f'{{"role":"system","content":[{looks}]}}', USER),
    ]
    for body in bodies:
        assert _sent(one, body) == body


@pytest.mark.parametrize(
    ("model", "stays"), [("gemini-x", "yes"), ("my-gemini", "yes"), ("claude-x", "no")]
)
def test_the_word_that_skips_validation_is_for_gemini(one: Fleet, model: str, stays: str) -> None:
    body = request(USER, assistant(thinking(SKIP), TEXT), ASKS_ON, model=model)
    without = request(USER, assistant(TEXT), ASKS_ON, model=model)
    assert _sent(one, body) == (body if stays == "yes" else without)


def test_tool_calls_lose_their_signature_where_there_is_thinking(one: Fleet) -> None:
    signed = thinking(signature())
    call = tool_use(more=',"signature":"s","unknown":1.50')
    body = request(USER, assistant(signed, call), tool_result())
    kept = tool_use(more=',"unknown":1.50')
    assert _sent(one, body) == request(USER, assistant(signed, kept), tool_result())
    plain = request(USER, assistant(call), tool_result())
    assert _sent(one, plain) == plain


def test_a_tool_loop_without_its_thinking_does_not_ask_for_more(one: Fleet) -> None:
    thinks = ',"thinking":{"type":"enabled","budget_tokens":2000}'
    clears = '{"type":"clear_thinking_20251015","keep":"all"}'
    other = '{"type":"clear_tool_uses_20250919"}'
    managed = f',"context_management":{{"edits":[{clears},{other}]}}'
    turn = assistant(thinking(""), tool_use())
    body = request(USER, turn, tool_result(), more=thinks + managed)
    sent = json.loads(_sent(one, body))
    assert "thinking" not in sent
    assert sent["context_management"] == {"edits": [json.loads(other)]}
    assert sent["messages"][1]["content"] == [json.loads(tool_use())]


def test_thinking_is_asked_for_as_before_where_no_loop_lost_its_own(one: Fleet) -> None:
    thinks = ',"thinking":{"type":"enabled","budget_tokens":2000}'
    lost = assistant(thinking(""), tool_use("toolu_0"))
    kept = assistant(thinking(signature()), tool_use())
    bodies = [
        # An older loop, the running one has its thinking.
        (request(USER, lost, tool_result("toolu_0"), kept, tool_result(), more=thinks), "thinking"),
        # No loop runs.
        (request(USER, assistant(thinking(""), TEXT), ASKS_ON, more=thinks), "thinking"),
    ]
    for body, field in bodies:
        sent = json.loads(_sent(one, body))
        assert sent[field] == {"type": "enabled", "budget_tokens": 2000}


def test_what_is_no_history_passes_unchanged(one: Fleet) -> None:
    bodies = [
        b'{"messages":[{"role":"assistant","content":[{"type":"thinking"',
        b'{"model":"claude-x","messages":{"role":"assistant","content":[{"type":"thinking"}]}}',
        b'{"model":"claude-x","messages":[7,null,{"role":"assistant","content":[7,{"type":7}]}]}',
        b'[{"role":"assistant","content":[{"type":"thinking","signature":""}]}]',
    ]
    for body in bodies:
        assert _sent(one, body) == body
