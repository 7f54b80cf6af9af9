"""`providers test`: one minimal request with every key."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.kept import write
from tests.scripted.answers import says, says_error, says_json, says_message
from tests.scripted.config import provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream


def results(run: Run, *names: str) -> list[dict[str, Any]]:
    """The entries of the document."""
    data: list[dict[str, Any]] = json.loads(run("providers", "test", "--json", *names).stdout)[
        "data"
    ]
    return data


def test_every_key_is_asked_for_one_token_of_the_first_listed_model(
    run: Run, config: Path, asked: Upstream
) -> None:
    write(
        config,
        provider("one", asked, "SECRET-1", "SECRET-2", models=["a"], model_mapping={"a": "b"}),
        provider("two", asked, "SECRET-3", type="zai"),
    )

    result = run("providers", "test")

    assert (result.exit_code, result.stderr) == (0, "")
    cells = [line.split() for line in result.stdout.splitlines()]
    assert [[name, word, ms, model] for name, word, _, ms, model in cells] == [
        ["one/0", "ok", "ms", "b"],
        ["one/1", "ok", "ms", "b"],
        ["two/0", "ok", "ms", "GLM-5"],
    ]
    assert "SECRET" not in result.output
    sent = asked.requests
    assert [each.header("x-api-key") for each in sent] == ["SECRET-1", "SECRET-2", "SECRET-3"]
    assert {each.target for each in sent} == {"/v1/messages"}
    assert {each.header("anthropic-version") for each in sent} == {"2023-06-01"}
    assert {each.header("user-agent") for each in sent} == {"cc-relay"}
    assert sent[0].fields() == {
        "model": "b",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_names_choose_who_is_tested(run: Run, config: Path, asked: Upstream) -> None:
    write(config, *(provider(name, asked, f"k{name}") for name in "ABC"))

    assert run("providers", "test", "C", "A").exit_code == 0

    assert [each.header("x-api-key") for each in asked.requests] == ["kA", "kC"]


@pytest.mark.parametrize("name", ["D", "off"])
def test_a_name_that_no_enabled_provider_has_is_wrong_usage(
    run: Run, config: Path, asked: Upstream, name: str
) -> None:
    off = provider("off", asked, "k", enabled=False)
    write(config, provider("A", asked, "k"), off)

    result = run("providers", "test", "A", name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no enabled provider is called '{name}' (there are: A)" in result.stderr
    assert asked.accepted == 0


def test_json_is_one_document(run: Run, config: Path, asked: Upstream) -> None:
    write(config, provider("one", asked, "SECRET-1", "SECRET-2"))
    asked.says(says_message(), says_error(401, "authentication_error", "invalid x-api-key"))

    result = run("providers", "test", "--json")

    assert (result.exit_code, result.stderr) == (1, "")
    first, second = json.loads(result.stdout)["data"]
    assert 0 <= first.pop("latency_ms") < 5000
    assert first == {
        "provider": "one",
        "key": "one/0",
        "model": "claude-opus-5-5",
        "ok": True,
        "status": 200,
        "reason": None,
        "restored": False,
    }
    assert (second["key"], second["ok"], second["status"]) == ("one/1", False, 401)
    assert second["reason"] == "401 authentication_error: invalid x-api-key"
    assert json.loads(run("providers", "--json", "test").stdout)["object"] == "list"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            says_error(400, "invalid_request_error", "model: claude-opus-5-5 is unknown"),
            "400 invalid_request_error: model: claude-opus-5-5 is unknown",
        ),
        (says_error(429, "rate_limit_error", "slow down"), "429 rate_limit_error: slow down"),
        (says(502, {"content-type": "text/plain"}, b"bad\x1b[2J gateway"), "502: bad [2J gateway"),
        (says(503, {}), "503: nothing more was said"),
        (says(301, {"location": "http://x/"}), "301: nothing more was said"),
        (
            says_json({"code": 500, "msg": "no quota", "success": False}),
            "unusable answer: no quota",
        ),
        (
            says(200, {"content-type": "text/html"}, b"<html>"),
            "unusable answer: the upstream answered with a web page",
        ),
        (
            says_error(401, "authentication_error", "no such key: SECRET-key-of-ours"),
            "401 authentication_error: no such key: [redacted]",
        ),
    ],
)
def test_what_is_no_answer_is_told_with_exit_code_1(
    run: Run, config: Path, asked: Upstream, answer: Any, reason: str
) -> None:
    write(config, provider("one", asked, "SECRET-key-of-ours"))
    asked.says(answer)

    result = run("providers", "test")

    assert (result.exit_code, result.stderr) == (1, "")
    name, word, _, _, model, *said = result.stdout.split()
    assert (name, word, model) == ("one/0", "failed", "claude-opus-5-5")
    assert " ".join(said).replace("bad  [", "bad [") == reason


def test_nobody_there_is_told_and_the_others_are_asked(
    run: Run, config: Path, asked: Upstream
) -> None:
    gone = provider("gone", "http://SECRET-u:SECRET-p@127.0.0.1:1", "k")
    write(config, gone, provider("here", asked, "k"))

    result = run("providers", "test")

    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.split()[:2] == ["gone/0", "failed"]
    assert first.endswith("  127.0.0.1:1: connection refused")
    assert second.split()[:2] == ["here/0", "ok"]
    assert "SECRET" not in result.output


def test_a_provider_without_keys_is_there_when_it_asks_for_a_credential(
    run: Run, config: Path, asked: Upstream
) -> None:
    write(
        config,
        provider("none", asked),
        provider("theirs", asked, "k", auth="passthrough"),
        provider("open", asked),
        provider("basic", asked.url.replace("//", "//user:pass@")),
    )

    def judge(request: Recorded) -> Any:
        assert request.header("x-api-key") is None
        return says_error(401, "authentication_error", "missing")

    asked.answers_with(judge)
    assert run("providers", "test", "none", "theirs").exit_code == 0
    found = results(run, "none", "theirs", "basic")
    assert [each["ok"] for each in found] == [None, None, False]
    assert [each["key"] for each in found] == [None] * 3
    asked.answers_with(says_message())
    assert [each["ok"] for each in results(run, "open")] == [True]


def test_a_provider_that_lists_no_model_is_asked_for_one_of_its_type(
    run: Run, config: Path, asked: Upstream
) -> None:
    write(config, provider("one", asked, "k", type="zai", models=[]))

    assert run("providers", "test").exit_code == 0

    assert asked.only().fields()["model"] == "GLM-5"


def test_a_key_that_no_header_can_carry_is_told_without_it(
    run: Run, config: Path, asked: Upstream
) -> None:
    write(config, provider("one", asked, "SECRET\nkey"))

    result = run("providers", "test")

    assert result.exit_code == 1
    assert "SECRET" not in result.output
    assert "Traceback" not in result.output
    assert asked.requests == []
