"""`providers`: who is configured to answer."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

FILE = """\
server: {listen: "127.0.0.1:8787"}
providers:
  - name: one
    type: anthropic
    base_url: https://user:SECRET@gateway.example:8443/x
    auth: configured
    priority: 2
    weight: 5
    keys: [{key: SECRET-a}, {key: ""}, {key: SECRET-b}, {key: SECRET-a}]
  - {name: open, type: anthropic}
  - {name: resting, type: zai, enabled: false}
"""


@pytest.fixture(autouse=True)
def _file(home: Path) -> None:
    (home / "config.yaml").write_text(FILE)


def test_providers_are_listed_with_their_keys_by_id_only(run: Run) -> None:
    result = run("providers")

    assert result.exit_code == 0
    assert "SECRET" not in result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "HOST", "AUTH", "PRIORITY", "WEIGHT", "KEYS"]
    assert lines[1].split(maxsplit=6) == [
        "one", "anthropic", "gateway.example:8443", "configured", "2", "5", "one/0, one/1",
    ]  # fmt: skip
    assert lines[2].split()[:4] == ["open", "anthropic", "api.anthropic.com", "auto"]
    assert len(lines) == 3


def test_json_is_the_same_list(run: Run) -> None:
    document = json.loads(run("providers", "--json").stdout)

    assert document["object"] == "list"
    assert document["data"][0] == {
        "name": "one",
        "type": "anthropic",
        "host": "gateway.example:8443",
        "auth": "configured",
        "priority": 2,
        "weight": 5,
        "keys": ["one/0", "one/1"],
    }
    assert document["data"][1]["keys"] == []
