"""`status`: whether a relay runs at the configured address, and whether it can serve."""

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from relay import __version__
from relay.cli import asking, configured
from relay.cli.asking import Answer, Deadline, NoAnswer, NotHttp
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.printable import printable
from relay.cli.refused import Refused, Unreachable
from relay.config.addresses import Listen

LIMIT_S: Final = 5.0
"""For everything together, so that a peer which accepts and stays silent cannot hang us."""

_QUOTED: Final = 120  # characters of a foreign answer that are shown


class NotTheRelay(Exception):
    """Somebody else answers there. The message is what came instead."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a relay says of itself."""

    reasons: tuple[str, ...]
    """Why it cannot serve; empty when it can."""
    loaded_at: str | None = None
    """When its configuration was loaded; None where it does not tell without a credential."""


@click.command
@config_option
@json_option
def status(*, as_json: bool) -> None:
    """Ask whether the relay runs and is ready.

    Exit code 0: it is. 1: it runs and cannot serve, or something else answers. 3: nobody answers.
    """
    path = configured.found()
    peer = configured.dialled(configured.listening(path))
    address = configured.written(peer)
    deadline = Deadline.within(LIMIT_S)
    try:
        found = look(peer, deadline)
    except NoAnswer as error:
        if as_json:
            echo_json(_report(path, address, None, [str(error)]))
        raise Unreachable(f"cc-relay cannot be reached ({address}): {error}") from error
    except NotTheRelay as error:
        if as_json:
            echo_json(_report(path, address, None, [str(error)]))
        else:
            click.echo(f"{address} answers, but it is not cc-relay: {error}")
        raise click.exceptions.Exit(1) from error
    if as_json:
        found = replace(found, loaded_at=_loaded_at(peer, deadline))
        echo_json(_report(path, address, found, list(found.reasons)))
    else:
        click.echo(f"cc-relay is running ({address})")
        for reason in found.reasons:
            click.echo(f"not ready: {reason}")
    if found.reasons:
        raise click.exceptions.Exit(1)


def look(peer: Listen, deadline: Deadline) -> Found:
    """Ask a relay how it is. Raises: `NoAnswer`, `NotTheRelay`."""
    if peer.port == 0:
        raise NoAnswer("server.listen has port 0, any free one, so nobody can know which")
    try:
        health = asking.get(peer, "/health", deadline)
    except NotHttp as error:
        raise NotTheRelay(f"no HTTP ({error})") from error
    if health.status != 200 or not _is_ours(health) or _json(health) != {"status": "ok"}:  # noqa: PLR2004
        raise NotTheRelay(_quoted(health))
    return Found(_reasons(peer, deadline))


def _reasons(peer: Listen, deadline: Deadline) -> tuple[str, ...]:
    try:
        ready = asking.get(peer, "/health/ready", deadline)
    except (NoAnswer, NotHttp) as error:
        return (f"GET /health/ready: {error}",)
    document = _json(ready)
    if ready.status == 200 and document == {"status": "ready"}:  # noqa: PLR2004
        return ()
    reasons = document.get("reasons") if isinstance(document, dict) else None
    if isinstance(reasons, list) and reasons:
        return tuple(printable(str(reason)) for reason in reasons)
    return (f"GET /health/ready: {_quoted(ready)}",)


def _loaded_at(peer: Listen, deadline: Deadline) -> str | None:
    """Every model is as old as the configuration; without a credential we may not be told."""
    with contextlib.suppress(NoAnswer, NotHttp, LookupError, TypeError):
        models: Any = _json(asking.get(peer, "/v1/models?limit=1", deadline))
        return printable(str(models["data"][0]["created_at"]))
    return None


def _report(path: Path, address: str, found: Found | None, reasons: list[str]) -> dict[str, object]:
    return {
        "running": found is not None,
        "ready": found is not None and not found.reasons,
        "address": address,
        "version": __version__,
        "reasons": reasons,
        "config": {
            "path": str(path),
            "loaded_at": found.loaded_at if found else None,
            "error": _fault(path),
        },
    }


def _fault(path: Path) -> str | None:
    """Why a relay could not load the file as it is now, with the variables of this shell."""
    try:
        configured.loaded(path)
    except Refused as refused:
        return refused.message
    return None


def _is_ours(answer: Answer) -> bool:
    return bool(answer.headers.get("x-request-id"))


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _quoted(answer: Answer) -> str:
    text = answer.body[: 4 * _QUOTED].decode("utf-8", "replace")
    kind = printable(answer.headers.get("content-type", "no content type"))
    return f"HTTP {answer.status}, {kind}: {printable(text)[:_QUOTED]!r}"
