"""`route explain`: which provider and key a request would take, and why. Nothing is sent."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import click

from relay.cli import configured, shared_state
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.refused import Refused
from relay.cli.table import table
from relay.clients.authenticate import Client
from relay.errors import Unauthenticated
from relay.exchange import inbound
from relay.exchange.exchange import Exchange
from relay.exchange.explaining import Explanation, Step
from relay.exchange.explaining import explain as explained
from relay.exchange.inbound import MESSAGES
from relay.exchange.settle import Settlement
from relay.messages import edit
from relay.runtime import Runtime
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
    config = configured.loaded(configured.found())
    fields = _headers(headers)
    if session:
        fields["x-claude-code-session-id"] = session
    content = _body(model, body)
    with shared_state.looked_at(config) as shared:
        found = explained(_exchange(shared.runtime, content, fields, client))
    if as_json:
        echo_json(_document(found, shared.fault))
    else:
        click.echo(_text(found, shared.fault))
    if found.error:
        raise click.exceptions.Exit(1)


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    fields = {}
    for each in given:
        name, equals, value = each.partition("=")
        name = name.strip().lower()
        if not (name and equals):
            raise click.BadParameter(f"{name or each!r} is not NAME=VALUE", param_hint="--header")
        fields[name] = value
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
    named = edit.replace(body, span, edit.string_json(model)) if span else _with(body, model)
    found = edit.members(named)
    if found is None or found.string("model") is None:
        raise click.BadParameter("names its model twice", param_hint="--body")
    return named


def _with(body: bytes, model: str) -> bytes:
    """An object that names no model, naming this one."""
    rest = body[body.index(b"{") + 1 :]
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    return b'{"model":' + edit.string_json(model) + comma + rest


def _exchange(runtime: Runtime, body: bytes, headers: Mapping[str, str], name: str) -> Exchange:
    means = runtime.means
    asked = inbound.read(
        method="POST",
        path=MESSAGES,
        query="",
        headers=headers,
        body=body,
        request_id="explain",
        names_itself=False,
    )
    return Exchange(
        inbound=asked,
        client=_client(runtime, headers, name),
        means=means,
        settlement=Settlement(means.lasting, request_id="explain", method="POST", path=MESSAGES),
        presence=Absent(),
        model=means.catalogue.resolve(asked.model) if asked.model else "",
    )


def _client(runtime: Runtime, headers: Mapping[str, str], name: str) -> Client:
    """Who has these credentials; without any, somebody who may use the keys."""
    if not any(headers.get(each) for each in _CREDENTIALS):
        return Client(name=name, any_token=False, may_use_keys=True, own={})
    try:
        return dataclasses.replace(runtime.gatekeeper.admit(headers), name=name)
    except Unauthenticated as error:
        raise Refused(f"{error.status} {error.type}: {error}") from error


def _document(found: Explanation, fault: str) -> dict[str, object]:
    steps = [{**dataclasses.asdict(step), "breaker": step.breaker.value} for step in found.steps]
    excluded = [{"provider": provider, "reason": reason} for provider, reason in found.excluded]
    return {
        **dataclasses.asdict(found),
        "steps": steps,
        "excluded": excluded,
        "error": found.error or None,
        "cost_usd": None,  # this version has no prices
        "state_fault": fault or None,
    }


def _text(found: Explanation, fault: str) -> str:
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
    if fault:
        lines.append(f"state      nothing known: {fault}")
    if found.error:
        lines.append(f"answer     {found.error}")
    if rows:
        lines += ["", table(heads, rows)]
    if found.excluded:
        lines += ["", "not asked:"]
        lines += [f"  {provider}: {reason}" for provider, reason in found.excluded]
    return "\n".join(lines)


def _cells(number: int, step: Step) -> tuple[str, ...]:
    return (str(number), step.provider, step.breaker.value, step.model, step.key or "-", step.note)
