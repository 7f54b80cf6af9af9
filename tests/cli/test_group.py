"""What holds for every command."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from click.testing import Result

from relay import __version__
from tests.cli.conftest import LIMIT_S, MINIMAL, Process, Run, environment

BROKEN = "server: [listen\n"


def test_no_arguments_print_the_help_on_stdout_and_are_no_mistake(run: Run) -> None:
    result = run()

    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: cc-relay")
    assert "config cc init" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments", [("--help",), ("config",), ("config", "cc"), ("serve", "--help")]
)
def test_help_is_on_stdout_with_exit_code_0(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage: cc-relay" in result.stdout


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_version_is_one_line_on_stdout(run: Run, argument: str) -> None:
    result = run(argument)

    assert (result.exit_code, result.stdout) == (0, f"cc-relay {__version__}\n")


def test_version_as_json_is_one_document(run: Run) -> None:
    assert run("version", "--json").stdout == f'{{\n  "version": "{__version__}"\n}}\n'


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("status", "--nonsense"),
        ("config", "nonsense"),
        ("config", "cc", "nonsense"),
        ("serve", "--workers", "many"),
        ("serve", "--workers", "-1"),
        ("serve", "--log-level", "loud"),
        ("serve", "--log-format", "xml"),
        ("serve", "--listen", "8787"),
        ("config", "cc", "init", "--proxy-url", "ftp://127.0.0.1"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_so_on_stderr(
    run: Run, config: Path, arguments: tuple[str, ...]
) -> None:
    assert config.exists()

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def _providers(result: Result) -> str:
    return result.stdout.splitlines()[1].split()[0]


def test_config_is_accepted_before_and_after_a_sub_command(run: Run, home: Path) -> None:
    (home / "a.yaml").write_text(MINIMAL.replace("name: one", "name: from-a"))
    (home / "b.yaml").write_text(MINIMAL.replace("name: one", "name: from-b"))

    assert _providers(run("--config", "a.yaml", "providers")) == "from-a"
    assert _providers(run("providers", "--config", "a.yaml")) == "from-a"
    assert _providers(run("--config", "a.yaml", "providers", "--config", "b.yaml")) == "from-b"
    assert run("config", "--config", "a.yaml", "validate").stdout.endswith("a.yaml is valid\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("version",),
        ("--help",),
        ("config", "init", "-o", "new.yaml"),
        ("config", "cc", "init"),
        ("config", "cc", "remove"),
    ],
)
def test_a_broken_config_does_not_stop_what_needs_none(
    run: Run, home: Path, arguments: tuple[str, ...]
) -> None:
    (home / "config.yaml").write_text(BROKEN)

    result = run(*arguments)

    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    "arguments", [("serve",), ("status",), ("models",), ("providers",), ("config", "show")]
)
def test_a_broken_config_is_named_with_exit_code_1_where_it_is_needed(
    run: Run, home: Path, arguments: tuple[str, ...]
) -> None:
    (home / "config.yaml").write_text(BROKEN)

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{home}/config.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_config_at_all_lists_the_places(run: Run, home: Path) -> None:
    result = run("models")

    assert result.exit_code == 1
    assert f"{home}/config.toml" in result.stderr
    assert f"{home}/.config/cc-relay/config.yaml" in result.stderr


def test_what_the_system_refuses_is_one_line_that_begins_with_the_thing(
    run: Run, home: Path
) -> None:
    (home / "file").write_text("")

    result = run("config", "init", "-o", "file/below/config.yaml")

    assert result.exit_code == 1
    assert result.stderr == f"{home}/file/below: not a directory\n"


def test_a_reader_that_is_gone_ends_a_command_without_a_traceback(home: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "relay.cli", "--help"],
            env=environment(home),
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        os.close(writer)

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_a_terminal_without_a_letter_gets_it_escaped(process: Process, home: Path) -> None:
    (home / "中.yaml").write_text(MINIMAL)

    ended = process(
        "config",
        "validate",
        "中.yaml",
        PYTHONIOENCODING="latin-1",
        PYTHONUTF8="1",
        LC_ALL="C.UTF-8",
    )

    assert (ended.returncode, ended.stdout) == (0, "\\u4e2d.yaml is valid\n")


def test_version_loads_neither_the_config_nor_the_server(process: Process, home: Path) -> None:
    script = (
        "import sys; from relay.cli import cc_relay; cc_relay(['version'], standalone_mode=False);"
        "print(sorted({'flask', 'yaml', 'marshmallow', 'requests', 'gevent'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )

    assert ended.stdout == f"cc-relay {__version__}\n[]\n"
    assert process("version").stdout == f"cc-relay {__version__}\n"


@pytest.mark.parametrize("program", [("cc-relay",), ("flask", "cc-relay")])
def test_both_entry_points_run_the_same_commands_beside_a_broken_config(
    home: Path, program: tuple[str, ...]
) -> None:
    (home / "config.yaml").write_text(BROKEN)
    script = Path(sysconfig.get_path("scripts"), program[0])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *program[1:], *arguments],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    assert run("version").stdout == f"cc-relay {__version__}\n"
    assert run("config", "validate").returncode == 1
    assert run("nonsense").returncode == 2
    assert run().returncode == 0
