"""Rules on what a request is choose providers and model, and touch nothing else (3.7, 7.1)."""

import json
from typing import Any

import pytest

from tests.scripted.answers import says_error
from tests.scripted.client import MSG, Headers
from tests.scripted.fleet import Fleet

FAILS = says_error(503, "overloaded_error")
IMAGE = '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBOR"}}'
SUB = {"x-claude-code-agent-id": "agent-1"}


def _rule(name: str, providers: list[str] | None = None, **when: Any) -> dict[str, Any]:
    """A rule that sends what it matches under a name of its own."""
    use: dict[str, Any] = {"model": f"m-{name}"}
    return {"name": name, "when": when, "use": use | ({"providers": providers or []})}


@pytest.fixture(scope="module")
def ruled(_fleet: Fleet) -> Fleet:
    """One rule of each kind before A, B and C; the rules say B, others go to A."""
    _fleet.renew()
    b = [_fleet.name("B")]
    rules = [
        _rule("search", b, tools=["web_search_", "bash_"]),
        _rule("picture", b, images=True),
        _rule("sub", b, agent="sub"),
        _rule("thinking", b, thinking=True),
        _rule("team", b, headers={"X-Team": "red*", "x-app": "cli"}),
        _rule("long", b, min_input_tokens=1000),
        _rule("background", b, models=["claude-haiku*", "exactly"]),
        _rule("main", b, agent="main", models=["for-main"]),
        _rule("short", b, max_input_tokens=100, models=["for-short"]),
        _rule("plain", b, images=False, thinking=False, models=["for-plain"]),
        _rule("later", [_fleet.name("C")], models=["claude-haiku-9"]),
    ]
    _fleet.put(*(_fleet.entry(letter) for letter in "ABC"), scenarios=rules)
    return _fleet


def _with(model: str = "claude-x", content: str = '"hi"', more: str = "") -> bytes:
    """A request with further fields as they stand in JSON, and odd spacing to keep."""
    messages = f'[ {{"role":"user","content":{content} }}]'
    return f'{{"model" : "{model}",  "max_tokens":5, "messages":{messages}{more}}}'.encode()


def _tool(fields: str) -> str:
    return f',"tools":[{{"name":"ls","input_schema":{{}}}},{{{fields}}}]'


def _content(*blocks: str) -> str:
    return f"[{','.join(blocks)}]"


def _id(value: object) -> str:
    return value or "none" if isinstance(value, str) else "-"


LONG = json.dumps("x" * 7200)  # about 2000 tokens
ENABLED = ',"thinking":{"type":"enabled","budget_tokens":1024}'
ADAPTIVE = ',"thinking":{"type":"adaptive"}'
DISABLED = ',"thinking":{"type":"disabled"}'


@pytest.mark.parametrize(
    ("body", "headers", "rule"),
    [
        (_with(more=_tool('"type":"web_search_20250305","name":"web_search"')), {}, "search"),
        (_with(more=_tool('"type":"bash_20250124","name":"bash"')), {}, "search"),
        (_with(more=_tool('"type":"custom","name":"web_search_"')), {}, ""),
        (_with(content=_content(IMAGE, '{"type":"text","text":"what?"}')), {}, "picture"),
        (_with(content='"{\\"type\\":\\"image\\"}"'), {}, ""),
        (_with(), SUB, "sub"),
        (_with("for-main"), SUB, "sub"),
        (_with("for-main"), {}, "main"),
        (_with(more=ENABLED), {}, "thinking"),
        (_with(more=ADAPTIVE), {}, "thinking"),
        (_with(more=DISABLED), {}, ""),
        (_with(), {"x-team": "red-1", "X-App": "cli"}, "team"),
        (_with(), {"x-team": "red", "X-App": "cli"}, "team"),
        (_with(), {"x-team": "blue", "X-App": "cli"}, ""),
        (_with(), {"x-team": "red"}, ""),
        (_with(), {"x-team": "red", "X-App": "client"}, ""),
        (_with(content=LONG), {}, "long"),
        (_with(more=f',"system":{LONG}'), {}, "long"),
        (_with("for-short"), {}, "short"),
        (_with("for-short", _content('{"type":"text","text":"' + "x" * 720 + '"}')), {}, ""),
        (_with("claude-haiku-4-5"), {}, "background"),
        (_with("claude-haiku-9"), {}, "background"),  # the first that matches
        (_with("exactly"), {}, "background"),
        (_with("exactly-not"), {}, ""),
        (_with("Claude-haiku"), {}, ""),
        (_with("for-plain"), {}, "plain"),
        (_with("for-plain", more=DISABLED), {}, "plain"),
        (_with(), {}, ""),
    ],
    ids=_id,
)
def test_the_first_rule_whose_conditions_all_hold_decides(
    ruled: Fleet, body: bytes, headers: Headers, rule: str
) -> None:
    for letter in "ABC":
        ruled[letter].forget()
    answer = ruled.post(body, headers)
    assert answer.status == 200
    assert ruled.hits == ("B" if rule else "A")
    model = json.loads(body)["model"]
    sent = body.replace(b'"%s"' % model.encode(), b'"m-%s"' % rule.encode(), 1) if rule else body
    assert ruled[ruled.hits].only().body == sent
    assert answer.header("x-cc-relay-model") == (f"m-{rule}" if rule else model)


@pytest.mark.parametrize("body", [b"not json", b"", b"[]", b'{"model":7,"max_tokens":1}'])
def test_what_is_no_request_meets_no_rule(ruled: Fleet, body: bytes) -> None:
    for letter in "ABC":
        ruled[letter].forget()
    assert ruled.post(body).status == 200
    assert ruled["A"].only().body == body


def test_a_rule_narrows_the_candidates_and_gives_their_order(fleet: Fleet) -> None:
    names = [fleet.name("C"), fleet.name("B")]
    rule: dict[str, Any] = {"name": "r", "when": {"agent": "sub"}, "use": {"providers": names}}
    fleet.put(*(fleet.entry(letter) for letter in "ABC"), scenarios=[rule])
    fleet["C"].answers_with(FAILS)
    assert fleet.post(headers=SUB).status == 200
    assert fleet.hits == "CB"
    fleet["B"].answers_with(FAILS)
    assert fleet.post(headers=SUB).status == 503  # A is no candidate
    assert fleet.hits == "CB" + "CB"
    assert {request.body for request in fleet["B"].requests} == {MSG}


def test_a_rule_that_names_a_model_alone_leaves_the_candidates(fleet: Fleet) -> None:
    rule: dict[str, Any] = {"name": "r", "when": {"agent": "sub"}, "use": {"model": "small"}}
    entries = [fleet.entry(letter) for letter in "AB"]
    entries[1]["model_mapping"] = {"small": "b-small", "claude-x": "never"}
    fleet.put(*entries, scenarios=[rule])
    fleet["A"].says(FAILS)
    assert fleet.post(headers=SUB).status == 200
    assert fleet["A"].only().body == MSG.replace(b"claude-x", b"small")
    assert fleet["B"].only().body == MSG.replace(b"claude-x", b"b-small")


def test_providers_are_chosen_by_the_name_the_client_said(fleet: Fleet) -> None:
    rule: dict[str, Any] = {"name": "r", "when": {"agent": "sub"}, "use": {"model": "small"}}
    mapping = {"claude": fleet.name("B"), "small": fleet.name("A")}
    routing = {"strategy": "model_based", "model_mapping": mapping}
    fleet.put(fleet.entry("A"), fleet.entry("B"), scenarios=[rule], routing=routing)
    assert fleet.post(headers=SUB).status == 200
    assert fleet["B"].only().body == MSG.replace(b"claude-x", b"small")


def test_a_rule_is_changed_by_reload(fleet: Fleet) -> None:
    entries = [fleet.entry(letter) for letter in "AB"]
    when = {"models": ["claude-x"]}
    for letter in "BA":
        use = {"providers": [fleet.name(letter)]}
        fleet.put(*entries, scenarios=[{"name": "r", "when": when, "use": use}])
        assert [fleet.post().status for _ in range(2)] == [200, 200]
    assert fleet.hits == "BBAA"
