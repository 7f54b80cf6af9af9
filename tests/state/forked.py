"""Processes that are forked off the test, and may be killed by it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A child that hangs is killed and fails its test.
PATIENCE_S = 20


@contextmanager
def children(*works: Callable[[], None]) -> Iterator[list[int]]:
    """Forked processes that do their work; all have ended with 0 or a kill of ours afterwards."""
    pids = []
    for work in works:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                signal.alarm(PATIENCE_S)
                work()
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    yield pids
    assert {os.waitpid(pid, 0)[1] for pid in pids} <= {0, signal.SIGKILL}
