"""`config init`: a file to begin with."""

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Process, Run


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_writes_to_the_usual_place_for_its_owner_alone(run: Run, home: Path) -> None:
    result = run("config", "init")

    path = home / ".config" / "cc-relay" / "config.yaml"
    assert (result.exit_code, result.stderr) == (0, "")
    assert (_mode(path), _mode(path.parent), _mode(home / ".config")) == (0o600, 0o700, 0o700)
    assert "listen: 127.0.0.1:8787" in path.read_text()
    assert result.stdout.startswith(f"wrote {path}\n")
    assert "  cc-relay serve\n" in result.stdout
    assert "cc-relay config cc init" in result.stdout


def test_xdg_config_home_is_honoured(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "x"))

    run("config", "init")

    assert (home / "x" / "cc-relay" / "config.yaml").exists()


@pytest.mark.parametrize("variables", [{}, {"ANTHROPIC_API_KEY": "sk-ant-x"}])
def test_what_it_writes_is_valid_with_the_variable_set_and_unset(
    process: Process, home: Path, variables: dict[str, str]
) -> None:
    assert process("config", "init", **variables).returncode == 0

    ended = process("config", "validate", **variables)

    assert ended.returncode == 0
    assert ended.stdout == f"{home}/.config/cc-relay/config.yaml is valid\n"


def test_an_existing_file_is_left_alone_without_force(run: Run, home: Path) -> None:
    path = home / "mine.yaml"
    path.write_text("mine")
    path.chmod(0o644)

    result = run("config", "init", "-o", "mine.yaml")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{path}: exists; --force overwrites it\n"
    assert path.read_text() == "mine"

    assert run("config", "init", "-o", "mine.yaml", "--force").exit_code == 0
    assert "server:" in path.read_text()
    assert _mode(path) == 0o600


def test_o_makes_the_folders_above_and_tells_how_to_serve_from_there(run: Run, home: Path) -> None:
    result = run("config", "init", "-o", "a/b/relay.yml")

    assert (home / "a" / "b" / "relay.yml").exists()
    assert _mode(home / "a") == 0o700
    assert f"  cc-relay serve --config {home}/a/b/relay.yml\n" in result.stdout


def test_force_does_not_replace_a_folder(run: Run, home: Path) -> None:
    (home / "folder.yaml").mkdir()

    result = run("config", "init", "-o", "folder.yaml", "--force")

    assert (result.exit_code, result.stderr) == (1, f"{home}/folder.yaml: is a folder\n")


@pytest.mark.parametrize("name", ["config.toml", "config.json", "config"])
def test_a_name_that_would_not_be_read_as_yaml_is_wrong_usage(
    run: Run, home: Path, name: str
) -> None:
    result = run("config", "init", "-o", name)

    assert result.exit_code == 2
    assert list(home.iterdir()) == []


def test_if_missing_writes_only_where_no_config_is_found(run: Run, home: Path) -> None:
    assert run("config", "init", "--if-missing").exit_code == 0
    written = home / ".config" / "cc-relay" / "config.yaml"
    before = written.stat().st_mtime_ns

    result = run("config", "init", "--if-missing")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{written} is there already\n"
    assert written.stat().st_mtime_ns == before


def test_if_missing_is_content_with_any_config_that_serve_would_find(
    run: Run, config: Path, home: Path
) -> None:
    assert str(config) in run("config", "init", "--if-missing").stderr
    assert list(home.iterdir()) == [config]
