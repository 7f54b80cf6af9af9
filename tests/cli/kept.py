"""What a relay keeps in its state folder: changed as workers would, and read as it lies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
import yaml

from relay.breaker.transitions import Outcome, Signal
from relay.config.loading import load
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.standing import Standing as KeysStanding
from relay.runtime import Runtime, lasting
from relay.state.opening import open_store
from relay.state.shared import SharedStore


@contextmanager
def kept(path: Path) -> Iterator[Runtime]:
    """A runtime of this configuration over the store that it names."""
    config = load(path, os.environ)
    parts = lasting(config, SharedStore(open_store(config.state.url, config.state.dir)))
    runtime = Runtime.of(config, parts)
    assert parts.store.answers()
    try:
        yield runtime
    finally:
        runtime.close()
        parts.close()


def upstream(runtime: Runtime, name: str) -> Upstream:
    """One of its upstreams."""
    (found,) = (each for each in runtime.means.upstreams if each.name == name)
    return found


def keys(runtime: Runtime, name: str) -> KeysStanding:
    """What is known of its keys."""
    return Standing(runtime.means).keys(upstream(runtime, name))


def fails(runtime: Runtime, name: str, times: int = 1) -> None:
    """Let the breaker of a provider hear of failures."""
    breakers, config = runtime.means.lasting.breakers, runtime.config.health.circuit_breaker
    for _ in range(times):
        breakers.hear(name, Outcome(Signal.FAILURE), config, "a test says so")


def records(folder: Path) -> tuple[int, dict[bytes, bytes]]:
    """Everything in the store, and how often it was written to. Nobody may have it open here."""
    with (
        lmdb.open(str(folder / "shared"), readonly=True, lock=False) as env,
        env.begin() as reading,
    ):
        return env.info()["last_txnid"], {bytes(k): bytes(v) for k, v in reading.cursor()}


def write(path: Path, *providers: dict[str, Any], **sections: Any) -> Path:
    """A configuration with these providers, at `path`."""
    server = {"listen": "127.0.0.1:8787"} | sections.pop("server", {})
    document = {"server": server, "providers": list(providers), **sections}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path
