"""Processes that end when we end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relay.cli.children import Children
from tests.cli.conftest import LIMIT_S, environment

SLEEPER = "import time; time.sleep(60)"
# A grandchild of its own, both deaf to SIGTERM.
STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork();"
    "os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)"
)


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has buried yet (Z) has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _goes(pid: int) -> bool:
    for _ in range(100):
        if _is_gone(pid):
            return True
        time.sleep(0.05)
    return False


def test_leaving_ends_them_also_by_an_error() -> None:
    def fails(children: Children) -> None:
        started.append(children.start(argv, os.environ, subprocess.PIPE))
        raise ZeroDivisionError

    argv = [sys.executable, "-c", SLEEPER]
    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(ZeroDivisionError), Children() as children:
        fails(children)

    (child,) = started
    assert child.returncode == -signal.SIGTERM


def test_one_that_has_ended_by_itself_is_no_trouble() -> None:
    children = Children()
    child = children.start([sys.executable, "-c", ""], os.environ, subprocess.DEVNULL)
    child.wait(LIMIT_S)

    children.close()
    children.close()

    assert child.returncode == 0


def test_one_that_does_not_listen_is_killed_with_what_it_started() -> None:
    children = Children(to_end_s=0.3)
    child = children.start([sys.executable, "-c", STUBBORN], os.environ, subprocess.PIPE)
    assert child.stdout
    pids = [int(child.stdout.readline()) for _ in range(2)]

    children.close()

    assert child.returncode == -signal.SIGKILL
    assert all(_goes(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_when_we_are_killed(home: Path, number: signal.Signals) -> None:
    script = (
        "import os, subprocess, sys, time; from relay.cli.children import Children\n"
        "c = Children().start([sys.executable, '-c', 'import time; time.sleep(60)'], os.environ,"
        " subprocess.DEVNULL)\n"
        "print(c.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(home), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.send_signal(number)
        parent.wait(LIMIT_S)

    assert _goes(child)
