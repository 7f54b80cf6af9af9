"""`models`: the list of `GET /v1/models`, and who is asked for what."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

TWO = """\
server: {listen: "127.0.0.1:8787"}
providers:
  - name: one
    type: anthropic
    models: [claude-x, claude-y]
    model_mapping: {"claude-*": upstream-z}
  - name: two
    type: zai
    models: [GLM-5, claude-x]
    keys: [{key: k}]
  - {name: three, type: zai, enabled: false}
"""


@pytest.fixture(autouse=True)
def _two_providers(home: Path) -> None:
    (home / "config.yaml").write_text(TWO)


def test_models_are_listed_once_with_provider_and_upstream_name(run: Run) -> None:
    result = run("models")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["MODEL", "PROVIDER", "SENT", "AS"],
        ["claude-x", "one", "upstream-z"],
        ["claude-y", "one", "upstream-z"],
        ["GLM-5", "two", "GLM-5"],
        ["anthropic/GLM-5", "two", "GLM-5"],
    ]


def test_json_has_the_entries_of_the_http_list(run: Run) -> None:
    document = json.loads(run("models", "--json").stdout)

    assert document["object"] == "list"
    entry = document["data"][2]
    assert isinstance(entry.pop("created"), int)
    assert entry.pop("created_at").endswith("Z")
    assert entry == {
        "id": "GLM-5",
        "type": "model",
        "display_name": "GLM-5",
        "object": "model",
        "owned_by": "zhipu",
        "provider": "two",
        "upstream_model": "GLM-5",
    }
