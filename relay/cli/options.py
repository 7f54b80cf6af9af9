"""The options that many commands take.

`--config` stands before or after a sub-command; the one nearest to the end wins.
"""

import json
from pathlib import Path
from typing import Final

import click

_CHOSEN: Final = "relay.cli.config"


def _choose(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_CHOSEN] = value  # one mapping for a context and all below it


config_option = click.option(
    "--config",
    metavar="PATH",
    type=click.Path(path_type=Path),
    expose_value=False,
    is_eager=True,
    callback=_choose,
    help="The configuration file.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there."
)


def chosen_config() -> Path | None:
    """What `--config` said, wherever it stood; None if it was not given."""
    path: Path | None = click.get_current_context().meta.get(_CHOSEN)
    return path


def echo_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
