"""Processes that end when we end, however that comes about.

Each has a process group of its own, so that Ctrl-C at the terminal reaches us alone and we end
them in our own time. Where the system can do it (Linux), they are also told to end if we are
killed.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Final, Self

_TO_END_S: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does first: ask the system for SIGTERM when its parent ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) and None


class Children:
    """The processes started here. A context: leaving it ends them all."""

    def __init__(self, to_end_s: float = _TO_END_S) -> None:
        self._to_end_s = to_end_s
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, argv: Sequence[str], environ: Mapping[str, str], stdout: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start one."""
        child = subprocess.Popen(  # noqa: S603  our own interpreter and modules
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            start_new_session=True,
            # It calls one function of libc that was looked up beforehand, so it takes no lock.
            preexec_fn=_end_with_parent(),  # noqa: PLW1509
        )
        self._running.append(child)
        return child

    def close(self) -> None:
        """End all: asked first, then, after a while, not asked. Idempotent."""
        for child in self._running:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        for child in self._running:
            try:
                child.wait(self._to_end_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # with what it has started itself
                child.wait(self._to_end_s)
            if child.stdout:
                child.stdout.close()
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()
