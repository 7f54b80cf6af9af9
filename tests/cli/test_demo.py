"""`demo` as a user starts it: a relay, a made-up provider, and nothing left afterwards."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.cli.demo import ending
from tests.cli.conftest import LIMIT_S, Process, environment


def _left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def _processes_with(text: str) -> list[int]:
    """Whose environment holds the text: a demo and all that it started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _none_left(text: str) -> bool:
    for _ in range(100):
        if not _processes_with(text):
            return True
        time.sleep(0.05)
    return False


def test_once_streams_an_answer_and_leaves_nothing(
    process: Process, home: Path, temporary: Path
) -> None:
    (home / "config.yaml").write_text("server: [broken\n")

    ended = process("demo", "--once", TMPDIR=str(temporary), CC_RELAY_OVERRIDES="no json")

    assert ended.returncode == 0, ended.stderr
    data = [line[6:] for line in ended.stdout.splitlines() if line.startswith("data: ")]
    events = [json.loads(line) for line in data]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    text = "".join(event["delta"].get("text", "") for event in events if "delta" in event)
    assert "What is a relay?" in text
    assert "Traceback" not in ended.stderr
    assert _left_in(temporary) == []
    assert _none_left(f"TMPDIR={temporary}")


@pytest.fixture
def demo(home: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that runs, its output up to the invitation unread."""
    proxy = "http://127.0.0.1:9"  # where nobody listens: nothing of the demo may go there
    with subprocess.Popen(
        [sys.executable, "-m", "relay.cli", "demo"],
        env=environment(home, TMPDIR=str(temporary), http_proxy=proxy),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        process.kill()
        process.wait(LIMIT_S)


def _invitation(demo: subprocess.Popen[str]) -> list[str]:
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line.strip())
        if line == "Ctrl-C ends it.\n":
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_end_and_interrupts_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with ending() as ended:
        assert not ended.is_set()
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert ended.wait(1)

    assert signal.getsignal(number) is before


def test_ctrl_c_ends_it_well_and_leaves_nothing(
    demo: subprocess.Popen[str], temporary: Path
) -> None:
    assert _invitation(demo)

    demo.send_signal(signal.SIGINT)
    demo.send_signal(signal.SIGINT)  # an impatient second one changes nothing

    assert demo.wait(LIMIT_S) == 0
    assert _left_in(temporary) == []
    assert _none_left(f"TMPDIR={temporary}")


def test_a_kill_leaves_no_process(demo: subprocess.Popen[str], temporary: Path) -> None:
    assert _invitation(demo)

    demo.kill()
    demo.wait(LIMIT_S)

    assert _none_left(f"TMPDIR={temporary}")


def test_the_line_to_paste_works_as_it_stands(demo: subprocess.Popen[str], home: Path) -> None:
    line = next(line for line in _invitation(demo) if line.startswith("curl "))

    pasted = subprocess.run(
        shlex.split(line),
        env=environment(home, http_proxy="http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )

    assert pasted.stdout.count("event: content_block_delta") > 5
    assert pasted.stdout.rstrip().endswith('data: {"type": "message_stop"}')


def test_a_relay_that_ends_by_itself_ends_the_demo(
    demo: subprocess.Popen[str], temporary: Path
) -> None:
    assert _invitation(demo)
    masters = [pid for pid in _processes_with(f"TMPDIR={temporary}") if _is_master(pid, demo.pid)]
    assert len(masters) == 1

    os.kill(masters[0], signal.SIGTERM)

    assert demo.wait(LIMIT_S) == 1
    assert _left_in(temporary) == []
    assert _none_left(f"TMPDIR={temporary}")


def _is_master(pid: int, parent: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return f"PPid:\t{parent}\n" in status and b"upstream" not in command
