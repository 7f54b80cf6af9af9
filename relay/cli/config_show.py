"""`config show`: the configuration as it is in force, without its secrets."""

import click
import yaml

from relay.cli import configured
from relay.cli.options import config_option, echo_json, json_option
from relay.config import showing


@click.command
@config_option
@json_option
def show(*, as_json: bool) -> None:
    """Print what is in force, secrets masked."""
    effective = showing.effective(configured.loaded(configured.found()))
    if as_json:
        echo_json(effective)
    else:
        click.echo(
            yaml.safe_dump(effective, sort_keys=False, allow_unicode=True, width=100), nl=False
        )
