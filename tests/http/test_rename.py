"""A model is renamed by the smallest edit of the body (A.6: 50 to 52)."""

import json
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream


def _post_to(relay: Relay, upstream: Upstream, body: bytes) -> bytes:
    upstream.forget()
    assert relay.post(body).status == 200
    return upstream.only().body


@pytest.fixture(scope="module")
def renaming(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    mapping = {
        "claude-x": "m1",
        "m1": "never",
        "claude-sonnet-*": "sonnet",
        "claude-sonnet-5*": "sonnet-five",
        "claude-sonnet-5-5": "exactly",
        "GLM-4.7": "glm/4.7[1m]",
        "Claude-Case": "case",
        "quoted": 'say "hi" \\ \u00fc',
    }
    entry = provider("p", plain_upstream, "k1", models=["GLM-4.7"], model_mapping=mapping)
    return start_relay(config(entry), workers=1)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("claude-x", "m1"),
        ("m1", "never"),
        ("claude-sonnet-4", "sonnet"),
        ("claude-sonnet-5", "sonnet-five"),
        ("claude-sonnet-5-5", "exactly"),
        ("claude-sonnet", "claude-sonnet"),
        ("claude-case", "claude-case"),
        ("GLM-4.7", "glm/4.7[1m]"),
        ("anthropic/GLM-4.7", "glm/4.7[1m]"),
        ("anthropic/claude-x", "anthropic/claude-x"),
        ("vendor/some.model[1m]:v2", "vendor/some.model[1m]:v2"),
    ],
)
def test_a_model_is_sent_under_its_mapped_name(
    renaming: Relay, plain_upstream: Upstream, asked: str, sent: str
) -> None:
    body = MSG.replace(b"claude-x", asked.encode())
    arrived = _post_to(renaming, plain_upstream, body)
    assert arrived == MSG.replace(b"claude-x", sent.encode())


def test_a_name_with_quotes_is_still_json(renaming: Relay, plain_upstream: Upstream) -> None:
    arrived = _post_to(renaming, plain_upstream, MSG.replace(b"claude-x", b"quoted"))
    assert json.loads(arrived)["model"] == 'say "hi" \\ \u00fc'


@pytest.mark.parametrize(
    "body",
    [
        b'{"max_tokens":5}',
        b'{"model":5,"x":"claude-x"}',
        b'{"model":null}',
        b'not json "model":"claude-x"',
        b'["model","claude-x"]',
        b'{"messages":[{"model":"claude-x"}]}',
        b'{"model":"claude-x"',
        b'{"model":"claude-x","model":"claude-x"}',
        b"",
        b"\xff\xfe",
    ],
)
def test_a_body_that_names_no_model_is_untouched(
    renaming: Relay, plain_upstream: Upstream, body: bytes
) -> None:
    assert _post_to(renaming, plain_upstream, body) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"big":9007199254740993,"model":"claude-x","neg":-0.0,"e":1E400}',
        b'{ "z":1 , "model"\t:\n"claude-x" ,"a" : [ ] }\r\n',
        b'{"note":"\\u00fc\\/\\ud83d\\ude00 \\"model\\":\\"claude-x\\"","model":"claude-x"}',
        b'{"messages":[{"model":"claude-x"}],"model":"claude-x","tools":[{"model":"claude-x"}]}',
        b'{"a":{"model":"claude-x"},"x":"\xc3\xbc","model":"claude-x"}',
        b'\xef\xbb\xbf{"model":"claude-x"}',
    ],
)
def test_a_rename_changes_the_models_value_and_nothing_else(
    renaming: Relay, plain_upstream: Upstream, body: bytes
) -> None:
    arrived = _post_to(renaming, plain_upstream, body)
    allowed = [
        body[:at] + b'"m1"' + body[at + len(b'"claude-x"') :]
        for at in range(len(body))
        if body.startswith(b'"claude-x"', at)
    ]
    assert len(allowed) >= 1
    if body.startswith(b"\xef"):
        assert arrived in (*allowed, body)  # with a byte order mark it is no JSON object
        return
    changed = [candidate for candidate in allowed if json.loads(candidate)["model"] == "m1"]
    assert [arrived] == changed


def test_a_key_given_twice_elsewhere_is_no_matter(
    renaming: Relay, plain_upstream: Upstream
) -> None:
    body = b'{"dup":1,"dup":2,"model":"claude-x"}'
    assert _post_to(renaming, plain_upstream, body) == b'{"dup":1,"dup":2,"model":"m1"}'


def test_an_escaped_name_is_the_same_name(renaming: Relay, plain_upstream: Upstream) -> None:
    body = b'{"x":1,"mod\\u0065l":"cl\\u0061ude-x","y":2}'
    assert _post_to(renaming, plain_upstream, body) == b'{"x":1,"mod\\u0065l":"m1","y":2}'


def _conversation() -> bytes:
    turns: list[dict[str, Any]] = []
    for number in range(450):
        text = f"line {number}\n" + 'x\u00fc\U0001f600\t\\"' * 90
        turns.append({"role": "user", "content": text})
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"n": 2**63}}
        thought = {"type": "thinking", "thinking": "hm" * 300, "signature": "S" * 400}
        turns.append({"role": "assistant", "content": [thought, call]})
    body = {"max_tokens": 64000, "messages": turns, "model": "claude-x", "stream": False}
    return json.dumps(body, ensure_ascii=False, separators=(",", ": ")).encode()


def test_a_megabyte_of_conversation_arrives_byte_for_byte(
    plain: Relay, renaming: Relay, plain_upstream: Upstream
) -> None:
    body = _conversation()
    assert len(body) > 1_000_000
    assert _post_to(plain, plain_upstream, body) == body
    renamed = body.replace(b'"model": "claude-x"', b'"model": "m1"')
    assert len(renamed) == len(body) - 6
    assert _post_to(renaming, plain_upstream, body) == renamed
