"""`models`: what `GET /v1/models` would list, and who would be asked for what."""

import click

from relay.cli import configured
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.table import table
from relay.clock import SystemClock
from relay.config.model import ProviderConfig
from relay.routing.models import Catalogue
from relay.routing.rename import renamed


@click.command
@config_option
@json_option
def models(*, as_json: bool) -> None:
    """List the models, and who is asked for what."""
    rows = listed(configured.loaded(configured.found()).providers)
    if as_json:
        echo_json({"object": "list", "data": rows})
    else:
        cells = [[str(row[name]) for name in ("id", "provider", "upstream_model")] for row in rows]
        click.echo(table(("MODEL", "PROVIDER", "SENT AS"), cells))


def listed(providers: tuple[ProviderConfig, ...]) -> list[dict[str, object]]:
    """The entries of `GET /v1/models`, each with `upstream_model`."""
    catalogue = Catalogue.of(providers, SystemClock().wall())
    mappings = {provider.name: provider.model_mapping for provider in providers}
    entries = catalogue.page()["data"]
    assert isinstance(entries, list)  # noqa: S101  the page's own shape, which its type cannot say
    return [
        {
            **entry,
            "upstream_model": renamed(catalogue.resolve(entry["id"]), mappings[entry["provider"]]),
        }
        for entry in entries
    ]
