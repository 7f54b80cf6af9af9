"""`providers`: who is configured to answer, and with how many keys."""

from urllib.parse import urlsplit

import click

from relay.cli import configured
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.table import table
from relay.config.model import ProviderConfig


@click.command
@config_option
@json_option
def providers(*, as_json: bool) -> None:
    """List the enabled providers."""
    rows = [row(provider) for provider in configured.loaded(configured.found()).providers]
    if as_json:
        echo_json({"object": "list", "data": rows})
    else:
        heads = ("NAME", "TYPE", "HOST", "AUTH", "PRIORITY", "WEIGHT", "KEYS")
        cells = [[_cell(entry[head.lower()]) for head in heads] for entry in rows]
        click.echo(table(heads, cells))


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


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none: the client's own credential"
    return str(value)
