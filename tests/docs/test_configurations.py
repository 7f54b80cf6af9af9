"""Every configuration in the documents and examples loads, without a warning."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from relay.config.loading import load
from tests.docs.markdown import ROOT, Block, blocks, named

EXAMPLES: Final = sorted(
    path for path in (ROOT / "examples").iterdir() if path.suffix in {".yaml", ".toml"}
)
BLOCKS: Final = blocks("yaml", "toml")

# What a fragment leaves out, so that the rest of it is looked at.
WHOLE: Final[Mapping[str, Any]] = {
    "server": {"listen": "127.0.0.1:8787"},
    "providers": [{"name": "anthropic", "type": "anthropic"}],
}

ENVIRONMENT: Final[Mapping[str, str]] = {
    name: f"made-up-{name.lower()}"
    for name in (
        "ANTHROPIC_API_KEY",
        "SECOND_API_KEY",
        "ANTHROPIC_KEY_A",
        "ANTHROPIC_KEY_B",
        "ANTHROPIC_KEY_SPARE",
        "ZAI_API_KEY",
        "RELAY_API_KEY",
        "IN_HOUSE_KEY",
    )
}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder in place of `/run/secrets`."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("anthropic_api_key", "relay_api_key"):
        (folder / name).write_text(f"made-up-{name}-of-a-file\n", "utf-8")
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads_without_a_warning(example: Path, tmp_path: Path, secrets: Path) -> None:
    config = tmp_path / f"config{example.suffix}"
    config.write_text(_with(secrets, example.read_text("utf-8")), "utf-8")

    loaded = load(config, _environ(tmp_path))

    assert loaded.warnings == ()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_configuration_in_a_document_loads(block: Block, tmp_path: Path, secrets: Path) -> None:
    parse = tomllib.loads if block.language == "toml" else yaml.safe_load
    tree = parse(_with(secrets, block.text))
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**WHOLE, **tree}), "utf-8")

    loaded = load(config, _environ(tmp_path))

    assert loaded.warnings == ()


def test_the_two_formats_of_one_example_say_the_same(tmp_path: Path) -> None:
    environ = _environ(tmp_path)

    of_yaml = load(ROOT / "examples" / "laptop.yaml", environ)
    of_toml = load(ROOT / "examples" / "config.toml", environ)

    assert of_yaml.providers == of_toml.providers
    assert of_yaml.server == of_toml.server


def test_the_readme_shows_a_configuration_of_about_ten_lines() -> None:
    shown = [block for block in BLOCKS if named(block.path) == "README.md"]

    assert len(shown) == 1
    assert len(shown[0].text.splitlines()) <= 12


def _with(secrets: Path, text: str) -> str:
    return text.replace("/run/secrets", str(secrets))


def _environ(tmp_path: Path) -> dict[str, str]:
    return {**ENVIRONMENT, "HOME": str(tmp_path)}
