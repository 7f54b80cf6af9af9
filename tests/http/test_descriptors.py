"""Exchanges are not limited by the open files a shell allows, but by those the system allows."""

import resource
from pathlib import Path

from tests.http.conftest import StartRelay
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


def test_the_relay_takes_the_open_files_it_may_have(
    start_relay: StartRelay, plain_upstream: Upstream
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        relay = start_relay(config(provider("p", plain_upstream, "k1")), workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    [worker] = relay.workers
    [line] = [
        line
        for line in Path(f"/proc/{worker}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    ]
    expected = 200_000 if hard == resource.RLIM_INFINITY else min(hard, 200_000)
    assert line.split()[3] == str(expected)
