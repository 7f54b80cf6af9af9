"""`route explain`: which provider and key a request would take, and why. Nothing is sent."""

import dataclasses
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.cli import configured
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.refused import Refused
from relay.cli.table import table
from relay.clients.authenticate import Client
from relay.config.model import Config
from relay.errors import RelayError
from relay.exchange import inbound
from relay.exchange.exchange import Exchange
from relay.exchange.explaining import Explanation, Step
from relay.exchange.explaining import explain as explained
from relay.exchange.inbound import MESSAGES
from relay.exchange.settle import Settlement
from relay.messages import edit
from relay.runtime import Runtime, lasting
from relay.state.memory import MemoryStore
from relay.state.opening import lmdb_folder, open_store
from relay.state.shared import SharedStore
from relay.stream.disconnect import Absent

_CREDENTIALS: Final = ("authorization", "x-api-key")
_SAYS_NOTHING: Final = b'{"max_tokens":1024,"messages":[{"role":"user","content":"hello"}]}'


@click.command
@config_option
@click.option("--model", default="", metavar="NAME", help="The model that is asked for.")
@click.option(
    "--body", type=click.File("rb"), help="A request body in JSON; - reads it from stdin."
)
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", help="A header of the request."
)
@click.option("--client", default="", metavar="NAME", help="The client that asks.")
@click.option("--session", default="", metavar="ID", help="The conversation it belongs to.")
@json_option
def explain(  # noqa: PLR0913  as many as there are options
    *,
    model: str,
    body: Any,
    headers: tuple[str, ...],
    client: str,
    session: str,
    as_json: bool,
) -> None:
    """Show which providers a request would be offered to, in order, who is out, and the key.

    Reads what a relay with the same configuration shares with its workers; nothing is sent and no
    counter moves. Exits with 1 if nobody could serve.
    """
    logging.getLogger("relay").addHandler(logging.StreamHandler(sys.stderr))
    config = configured.loaded(configured.found())
    fields = _headers(headers)
    if session:
        fields["x-claude-code-session-id"] = session
    try:
        found = explained(_exchange(config, _body(model, body), fields, client))
    except RelayError as error:
        raise Refused(f"{error.status} {error.type}: {error}") from error
    if as_json:
        echo_json(_document(found))
    else:
        click.echo(_text(found))
    if not any(step.can_serve for step in found.steps):
        sys.exit(1)


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    fields = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--header")
        fields[name.strip().lower()] = value
    return fields


def _body(model: str, given: Any) -> bytes:
    """The body that is asked with, its model put in the place of its own."""
    body: bytes = given.read() if given else _SAYS_NOTHING
    members = edit.members(body)
    if members is None:
        raise click.BadParameter("is not a JSON object", param_hint="--body")
    if not model:
        return body
    span = members.span("model")
    if span is not None:
        return edit.replace(body, span, edit.string_json(model))
    rest = body[body.index(b"{") + 1 :]
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    return b'{"model":' + edit.string_json(model) + comma + rest


def _exchange(config: Config, body: bytes, headers: Mapping[str, str], client: str) -> Exchange:
    parts = lasting(config, SharedStore(_store(config)))
    runtime = Runtime.of(config, parts)
    asked = inbound.read(
        method="POST",
        path=MESSAGES,
        query="",
        headers=headers,
        body=body,
        request_id="explain",
        names_itself=False,
    )
    own = {name: headers[name] for name in _CREDENTIALS if name in headers}
    caller = Client(name=client, any_token=False, may_use_keys=True, own=own)
    return Exchange(
        inbound=asked,
        client=caller,
        means=runtime.means,
        settlement=Settlement(parts, request_id="explain", method="POST", path=MESSAGES),
        presence=Absent(),
        model=runtime.means.catalogue.resolve(asked.model) if asked.model else "",
    )


def _store(config: Config) -> Any:
    """What a running relay shares. None yet: an empty one, and no folder is made for it."""
    folder = lmdb_folder(config.state.url, config.state.dir)
    if folder is not None and not Path(folder).exists():
        return MemoryStore()
    return open_store(config.state.url, config.state.dir)


def _document(found: Explanation) -> dict[str, object]:
    steps = [{**dataclasses.asdict(step), "breaker": step.breaker.value} for step in found.steps]
    excluded = [{"provider": provider, "reason": reason} for provider, reason in found.excluded]
    return {
        **dataclasses.asdict(found),
        "steps": steps,
        "excluded": excluded,
        "cost_usd": None,  # this version has no prices
    }


def _text(found: Explanation) -> str:
    heads = ("", "PROVIDER", "BREAKER", "MODEL", "KEY", "NOTE")
    rows = [_cells(number, step) for number, step in enumerate(found.steps, 1)]
    lines = [
        f"strategy   {found.strategy}",
        f"model      {found.model or 'none named'}",
        f"input      about {found.input_tokens} tokens; cost unknown: this version has no prices",
    ]
    if found.scenario:
        lines.append(f"scenario   {found.scenario}")
    if found.by_affinity:
        lines.append("affinity   the first one issued, or accepts, the thinking in the history")
    lines += ["", table(heads, rows)]
    if found.excluded:
        lines += ["", "not asked:"]
        lines += [f"  {provider}: {reason}" for provider, reason in found.excluded]
    return "\n".join(lines)


def _cells(number: int, step: Step) -> tuple[str, ...]:
    return (str(number), step.provider, step.breaker.value, step.model, step.key or "-", step.note)
