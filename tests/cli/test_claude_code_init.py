"""`config cc init` on a real file in an empty home."""

import fcntl
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.cli import settings_file
from relay.cli.refused import Refused
from tests.cli.conftest import SETTINGS, Process, Run

DEFAULT = "http://127.0.0.1:8787"
BOTH = {"ANTHROPIC_BASE_URL": DEFAULT, "ANTHROPIC_AUTH_TOKEN": "managed-by-cc-relay"}


def _backup(settings: Path) -> Path:
    return settings.with_name("settings.json.cc-relay-backup")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_without_a_file_writes_exactly_the_two_variables(run: Run, home: Path) -> None:
    result = run("config", "cc", "init")

    settings = home / ".claude" / "settings.json"
    assert result.exit_code == 0
    assert json.loads(settings.read_text()) == {"env": BOTH}
    assert (_mode(settings), _mode(settings.parent)) == (0o600, 0o700)
    assert not _backup(settings).exists()
    for word in (str(settings), DEFAULT, "managed-by-cc-relay", "restart Claude Code"):
        assert word in result.stdout
    assert "subscription" in result.stderr


def test_init_keeps_everything_else_to_the_byte(run: Run, settings: Path) -> None:
    settings.write_text(SETTINGS)

    assert run("config", "cc", "init").exit_code == 0

    assert settings.read_text() == SETTINGS.replace("https://gateway.example/x", DEFAULT).replace(
        '"A": "a"\n', '"A": "a",\n    "ANTHROPIC_AUTH_TOKEN": "managed-by-cc-relay"\n'
    ).replace("\\u2028", "\u2028")


def test_init_saves_the_original_once(run: Run, settings: Path) -> None:
    settings.write_text(SETTINGS)
    settings.chmod(0o640)

    run("config", "cc", "init")
    run("config", "cc", "init", "--proxy-url", "http://127.0.0.1:1")
    run("config", "cc", "remove")
    run("config", "cc", "init")

    assert _backup(settings).read_text() == SETTINGS
    assert _mode(_backup(settings)) == 0o640


def test_init_of_a_file_it_made_itself_leaves_no_backup(run: Run, settings: Path) -> None:
    run("config", "cc", "init")
    run("config", "cc", "init", "--proxy-url", "http://127.0.0.1:1")

    assert not _backup(settings).exists()


def test_init_twice_changes_nothing(run: Run, settings: Path) -> None:
    settings.write_text('{"env": {\t"ANTHROPIC_BASE_URL": "x"}}')
    run("config", "cc", "init", "--proxy-url", "https://relay.example")
    # However it is laid out: what is right is not touched.
    settings.write_text(json.dumps(json.loads(settings.read_text())))
    before = (settings.read_bytes(), settings.stat().st_mtime_ns, settings.stat().st_ino)

    result = run("config", "cc", "init", "--proxy-url", "https://relay.example")

    assert result.exit_code == 0
    assert (settings.read_bytes(), settings.stat().st_mtime_ns, settings.stat().st_ino) == before
    assert "https://relay.example" in result.stdout


def test_mode_and_links_stay(run: Run, settings: Path, home: Path) -> None:
    target = home / "dotfiles" / "claude.json"
    target.parent.mkdir()
    target.write_text("{}")
    target.chmod(0o644)
    settings.symlink_to("../dotfiles/claude.json")

    run("config", "cc", "init")

    assert settings.readlink() == Path("../dotfiles/claude.json")
    assert json.loads(target.read_text()) == {"env": BOTH}
    assert _mode(target) == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["claude.json"]


@pytest.mark.parametrize("command", ["init", "remove"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{broken", "line 1, column 2"),
        (b"", "line 1, column 1"),
        (b"null", "the top level must be an object"),
        (b"[]", "the top level must be an object"),
        (b'{"env": null}', "env must be an object"),
        (b'{"env": ["A"]}', "env must be an object"),
        (b'{"a": 1, "a": 2}', '"a" stands twice'),
        ("{}".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_understood_is_left_alone(
    run: Run, settings: Path, command: str, content: bytes, why: str
) -> None:
    settings.write_bytes(content)

    result = run("config", "cc", command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{settings}: ")
    assert why in result.stderr
    assert settings.read_bytes() == content
    assert sorted(path.name for path in settings.parent.iterdir()) == ["settings.json"]


def test_a_byte_order_mark_does_not_hinder(run: Run, settings: Path) -> None:
    settings.write_bytes(b'\xef\xbb\xbf{"model": "m"}')

    assert run("config", "cc", "init").exit_code == 0
    assert json.loads(settings.read_text()) == {"model": "m", "env": BOTH}


def test_a_pipe_in_place_of_the_file_is_refused_at_once(run: Run, settings: Path) -> None:
    os.mkfifo(settings)

    result = run("config", "cc", "init")

    assert (result.exit_code, result.stderr) == (1, f"{settings}: is not a regular file\n")


def test_a_folder_that_cannot_be_written_is_one_line(process: Process, home: Path) -> None:
    (home / ".claude").write_text("a file")

    ended = process("config", "cc", "init")

    assert (ended.returncode, ended.stderr) == (1, f"{home}/.claude: is not a folder\n")


def test_what_was_remembered_is_for_its_owner_alone(run: Run, settings: Path, home: Path) -> None:
    settings.write_text(json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": "their-secret"}}))

    run("config", "cc", "init")

    memory = home / ".local" / "state" / "cc-relay" / "claude-code.json"
    assert "their-secret" in memory.read_text()
    assert (_mode(memory), _mode(memory.parent)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("name", "folder"), [("CC_RELAY_STATE_DIR", "s"), ("XDG_STATE_HOME", "s/cc-relay")]
)
def test_the_state_folder_is_where_the_environment_says(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str
) -> None:
    monkeypatch.setenv(name, str(home / "s"))

    run("config", "cc", "init")

    assert (home / folder / "claude-code.json").exists()
    assert not (home / ".local").exists()


def test_a_memory_that_cannot_be_read_stops_before_anything_is_written(
    run: Run, settings: Path, home: Path
) -> None:
    memory = home / ".local" / "state" / "cc-relay" / "claude-code.json"
    memory.parent.mkdir(parents=True)
    memory.write_text("{broken")
    settings.write_text("{}")

    result = run("config", "cc", "init")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{memory}: ")
    assert settings.read_text() == "{}"


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(settings: Path) -> None:
    settings.write_text("{}")
    file = settings_file.read(settings)
    settings.write_text('{"theirs": 1}')

    with pytest.raises(Refused, match="changed while it was being edited"):
        file.replace({"env": {}})

    assert settings.read_text() == '{"theirs": 1}'


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_second_init_waits_for_the_first(run: Run, settings: Path) -> None:
    with _locked(settings.parent) as descriptor:
        release = threading.Timer(0.3, fcntl.flock, (descriptor, fcntl.LOCK_UN))
        release.start()
        result = run("config", "cc", "init")
        release.join()

    assert result.exit_code == 0
    assert json.loads(settings.read_text()) == {"env": BOTH}


def test_another_config_folder_of_claude_code_is_pointed_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/elsewhere")

    assert "Claude Code reads /elsewhere/settings.json" in run("config", "cc", "init").stderr
