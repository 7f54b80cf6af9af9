"""`config show`: everything that is in force, and no secret."""

import json
from pathlib import Path

import yaml

from tests.cli.conftest import Run

SECRETS = """\
server: {listen: "127.0.0.1:8787", auth: {api_key: SECRET-1}}
providers:
  - name: one
    type: anthropic
    base_url: http://user:SECRET-2@127.0.0.1:9
    keys: [{key: SECRET-3}, {key: "${UNSET}"}]
"""


def test_defaults_are_filled_in_and_secrets_masked_in_both_forms(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(SECRETS)

    text, document = run("config", "show"), run("config", "show", "--json")

    assert (text.exit_code, document.exit_code) == (0, 0)
    shown = json.loads(document.stdout)
    assert yaml.safe_load(text.stdout) == shown
    assert "SECRET" not in text.output + document.output
    assert shown["server"]["max_body_bytes"] == 33554432
    assert shown["server"]["auth"]["api_key"] == "********"
    assert shown["providers"][0]["keys"][0]["key"] == "********"
    assert shown["providers"][0]["base_url"] == "http://127.0.0.1:9"


def test_the_order_is_that_of_the_file(run: Run, config: Path) -> None:
    assert config.exists()

    names = list(yaml.safe_load(run("config", "show").stdout))

    assert names[:3] == ["server", "routing", "providers"]
