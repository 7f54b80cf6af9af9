"""`providers`: who is configured to answer, and what running workers know of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from relay.breaker.transitions import State
from relay.cli import configured, shared_state
from relay.cli.lazy import LazyGroup
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.table import table
from relay.config.model import ProviderConfig
from relay.exchange.explaining import why_out
from relay.exchange.means import Means
from relay.exchange.standing import Standing
from relay.keys.standing import KeyState
from relay.limits.kinds import A_REQUEST


@click.group(
    cls=LazyGroup, places={"test": "relay.cli.providers_test:providers_test"}, is_command=True
)
@config_option
@json_option
@click.pass_context
def providers(ctx: click.Context, *, as_json: bool) -> None:
    """List the enabled providers, and how they are where a relay has run."""
    if ctx.invoked_subcommand:
        return
    config = configured.loaded(configured.found())
    with shared_state.looked_at(config) as shared:
        known = {} if shared.fault else _known(shared.runtime.means)
    if shared.is_away:
        click.echo(shared.fault, err=True)
    rows = [row(provider) for provider in config.providers]
    if as_json:
        data = [
            {**each, **_document(str(each["name"]), known.get(str(each["name"])))} for each in rows
        ]
        echo_json({"object": "list", "data": data})
    else:
        click.echo(_text(rows, known))


@dataclass(frozen=True, slots=True)
class _Known:
    """How one provider is, at one moment of the store."""

    breaker: State
    opens_s: float
    """Until an open breaker turns half-open."""
    keys: Sequence[KeyState]


def _known(means: Means) -> Mapping[str, _Known]:
    standing = Standing(means)
    return {
        upstream.name: _Known(
            breaker=standing.state(upstream),
            opens_s=standing.opens_s(upstream),
            keys=upstream.pool.states(standing.keys(upstream), A_REQUEST),
        )
        for upstream in means.upstreams
    }


def row(provider: ProviderConfig) -> dict[str, object]:
    """One provider as it may be shown: no URL credentials, keys by their ids only."""
    return {
        "name": provider.name,
        "type": provider.type,
        "host": urlsplit(provider.base_url.reveal()).netloc.rpartition("@")[2],
        "auth": provider.auth,
        "priority": provider.priority,
        "weight": provider.weight,
        "keys": key_ids(provider),
    }


def key_ids(provider: ProviderConfig) -> list[str]:
    """The keys that are in use: without pooling the first alone."""
    used = len(provider.keys) if provider.pooling.enabled else min(len(provider.keys), 1)
    return [f"{provider.name}/{position}" for position in range(used)]


def _document(name: str, known: _Known | None) -> dict[str, object]:
    if known is None:
        return {"breaker": None, "keys_state": None}
    is_open = known.breaker is State.OPEN
    return {
        "breaker": {
            "state": known.breaker.value,
            "half_open_in_s": round(known.opens_s, 1) if is_open else None,
        },
        "keys_state": [
            {
                "key": f"{name}/{key.position}",
                "rests_s": round(key.rests_s, 1),
                "aside_s": round(key.aside_s, 1),
                "room_s": round(key.room_s, 1),
            }
            for key in known.keys
        ],
    }


def _text(rows: Sequence[Mapping[str, object]], known: Mapping[str, _Known]) -> str:
    heads = ["NAME", "TYPE", "HOST", "AUTH", "PRIORITY", "WEIGHT", "KEYS"]
    cells = [[_cell(row[head.lower()]) for head in heads] for row in rows]
    if known:
        heads.insert(-1, "BREAKER")
        for row, line in zip(rows, cells, strict=True):
            state = known[str(row["name"])]
            line.insert(-1, _breaker(state))
            line[-1] = _keys(str(row["name"]), state) or line[-1]
    return table(heads, cells)


def _breaker(known: _Known) -> str:
    wait = f" for {math.ceil(known.opens_s)} s" if known.breaker is State.OPEN else ""
    return f"{known.breaker.value}{wait}"


def _keys(name: str, known: _Known) -> str:
    return ", ".join(f"{name}/{key.position} {why_out(key)}".rstrip() for key in known.keys)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none: the client's own credential"
    return str(value)
