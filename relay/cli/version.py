"""`version`: which cc-relay this is."""

import click

from relay import __version__
from relay.cli.options import config_option, echo_json, json_option


@click.command
@config_option
@json_option
def version(*, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        echo_json({"version": __version__})
    else:
        click.echo(f"cc-relay {__version__}")
