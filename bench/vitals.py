"""Ask what the workers of a relay hold: descriptors from outside, greenlets from inside.

Greenlets are seen only in the worker itself. `app` is the relay's own WSGI app with one path in
front, served by the same gunicorn configuration: `gunicorn -k gevent bench.vitals:app`.
"""

import gc
import json
import os
import time
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

APP: Final = "bench.vitals:app"
PATH: Final = "/bench/vitals"
ASK_LIMIT_S: Final = 10.0
"""The kernel chooses the worker of each connection; with two, this is never reached."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What one worker holds."""

    pid: int
    greenlets: int
    descriptors: int


def of_workers(url: str, pids: Sequence[int]) -> list[Vitals]:
    """The vitals of each worker, by asking until all have answered."""
    found: dict[int, Vitals] = {}
    until = time.monotonic() + ASK_LIMIT_S
    while set(found) != set(pids):
        if time.monotonic() > until:
            raise TimeoutError(f"workers {set(pids) - set(found)} did not answer")
        with urllib.request.urlopen(url + PATH, timeout=5) as answer:  # noqa: S310 - always http
            pid, greenlets = json.load(answer)
        found[pid] = Vitals(pid, greenlets, len(list(Path(f"/proc/{pid}/fd").iterdir())))
    return [found[pid] for pid in sorted(found)]


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The relay, and the count of live greenlets at a path of ours."""
    if environ["PATH_INFO"] != PATH:
        from wsgi import app as relay  # noqa: PLC0415 - only a worker may load it

        return relay(environ, start_response)
    body = json.dumps([os.getpid(), _greenlets()]).encode()
    start_response("200 OK", [("content-length", str(len(body))), ("connection", "close")])
    return [body]


def _greenlets() -> int:
    from greenlet import greenlet  # noqa: PLC0415 - the measuring side needs no gevent

    gc.collect()
    return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())
