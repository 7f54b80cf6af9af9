"""What a running relay shares with its workers, for a command that looks at it.

    config ► store, if somebody keeps one ► Runtime over it ► the command ► closed

Looking changes nothing: where no relay has kept a store there is an empty one in memory, and no
folder is made. Why it is empty is said in `Shared.fault`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from relay.cli.refused import Refused
from relay.config.model import Config
from relay.runtime import Runtime, lasting
from relay.state.memory import MemoryStore
from relay.state.opening import lmdb_folder, open_store
from relay.state.shared import SharedStore
from relay.state.store import Store, StoreAway


@dataclass(frozen=True, slots=True)
class Shared:
    """A runtime that stands where those of the workers do, without serving anybody."""

    runtime: Runtime
    fault: str
    """Why nothing is known; empty: everything is that workers know."""
    is_away: bool
    """There should be something, and it cannot be read."""


@contextmanager
def looked_at(config: Config) -> Iterator[Shared]:
    """Open it, and let go of it in the end. Raises: `Refused` where an extra is missing."""
    with _told():
        store, fault, is_away = _store(config)
        parts = lasting(config, SharedStore(store))
        runtime = Runtime.of(config, parts)
        try:
            yield Shared(runtime, fault, is_away)
        finally:
            runtime.close()
            parts.close()


def _store(config: Config) -> tuple[Store, str, bool]:
    missing = _missing(config)
    if missing:
        return MemoryStore(), missing, False
    try:
        store = open_store(config.state.url, config.state.dir)
    except ModuleNotFoundError as error:
        raise Refused(str(error)) from error
    try:
        store.now()
    except StoreAway as away:
        store.close()
        return MemoryStore(), f"the store of state.url does not answer: {away}", True
    return store, "", False


def _missing(config: Config) -> str:
    if config.state.url.reveal().startswith("memory:"):
        return "state.url is memory:, so what a relay knows stays in its process"
    folder = lmdb_folder(config.state.url, config.state.dir)
    if folder is None:
        return ""
    try:
        Path(folder, "shared", "data.mdb").stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"no relay has kept anything in {folder} yet"
    except OSError:  # there is something; whoever opens it says why it cannot be read
        return ""
    return ""


class _OnStderr(logging.Handler):
    """What the parts of the relay have to say, as a line for people."""

    def emit(self, record: logging.LogRecord) -> None:
        reason = getattr(record, "fields", {}).get("reason")
        said = record.getMessage()
        click.echo(f"{said}: {reason}" if reason else said, err=True)


@contextmanager
def _told() -> Iterator[None]:
    logger, handler = logging.getLogger("relay"), _OnStderr(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
