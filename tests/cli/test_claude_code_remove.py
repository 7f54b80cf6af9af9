"""`config cc remove` on a real file in an empty home."""

import json
from pathlib import Path

import pytest

from relay.cli.claude_settings import DEFAULT_URL as DEFAULT
from tests.cli.conftest import MINIMAL, SETTINGS, Run


def test_remove_takes_the_two_variables_and_an_env_that_becomes_empty(
    run: Run, settings: Path
) -> None:
    settings.write_text('{"model": "m"}')
    run("config", "cc", "init", "--proxy-url", "http://10.1.2.3:4567")

    result = run("config", "cc", "remove")

    assert result.exit_code == 0
    assert settings.read_text() == '{\n  "model": "m"\n}\n'
    assert "ANTHROPIC_BASE_URL removed" in result.stdout


def test_remove_brings_back_what_init_replaced(run: Run, settings: Path) -> None:
    settings.write_text(SETTINGS)
    run("config", "cc", "init")
    run("config", "cc", "init", "--proxy-url", "http://127.0.0.1:9")

    result = run("config", "cc", "remove")

    assert settings.read_text() == SETTINGS.replace("\\u2028", "\u2028")
    assert "ANTHROPIC_BASE_URL has its former value again" in result.stdout


def test_remove_leaves_what_the_user_set_meanwhile(run: Run, settings: Path) -> None:
    run("config", "cc", "init")
    theirs = '{"env": {"ANTHROPIC_BASE_URL": "https://mine", "ANTHROPIC_AUTH_TOKEN": "mine"}}'
    settings.write_text(theirs)

    result = run("config", "cc", "remove")

    assert result.exit_code == 0
    assert "nothing to remove" in result.stdout
    assert settings.read_text() == theirs


def test_a_token_that_the_user_set_stays_where_the_url_goes(run: Run, settings: Path) -> None:
    settings.write_text(
        json.dumps({"env": {"ANTHROPIC_BASE_URL": DEFAULT, "ANTHROPIC_AUTH_TOKEN": "mine"}})
    )

    run("config", "cc", "remove")

    assert json.loads(settings.read_text()) == {"env": {"ANTHROPIC_AUTH_TOKEN": "mine"}}


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("127.0.0.1:9999", "http://localhost:9999"),
        ("'[::1]:9999'", "http://[::1]:9999"),
        ("${LISTEN:-0.0.0.0:9999}", "http://127.0.0.1:9999"),
    ],
)
def test_remove_knows_the_address_of_the_config_without_a_memory(
    run: Run, settings: Path, home: Path, listen: str, url: str
) -> None:
    (home / "config.yaml").write_text(MINIMAL.replace("127.0.0.1:8787", listen))
    settings.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": url, "A": "a"}}))

    run("config", "cc", "remove")

    assert json.loads(settings.read_text()) == {"env": {"A": "a"}}


@pytest.mark.parametrize(
    "content", [None, "{}", '{"env": {}}', '{"env": {"ANTHROPIC_BASE_URL": "https://mine"}}']
)
def test_nothing_to_remove_is_a_notice_and_no_change(
    run: Run, settings: Path, content: str | None
) -> None:
    if content is not None:
        settings.write_text(content)

    result = run("config", "cc", "remove")

    assert result.exit_code == 0
    assert "nothing to remove" in result.stdout
    assert (settings.read_text() if settings.exists() else None) == content
