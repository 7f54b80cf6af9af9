"""The list of commands."""

from typing import Final

import click

from relay import __version__
from relay.cli.lazy import LazyGroup
from relay.cli.options import config_option

COMMANDS: Final = {
    "serve": "relay.cli.serve:serve",
    "status": "relay.cli.status:status",
    "config": "relay.cli.config:config",
    "models": "relay.cli.models:models",
    "providers": "relay.cli.providers:providers",
    "route": "relay.cli.route:route",
    "demo": "relay.cli.demo:demo",
    "version": "relay.cli.version:version",
}


@click.group("cc-relay", cls=LazyGroup, places=COMMANDS)
@config_option
@click.version_option(__version__, prog_name="cc-relay", message="%(prog)s %(version)s")
def cc_relay() -> None:
    """A relay between Claude Code and the providers of the Anthropic Messages API.

    \b
    First steps:
      cc-relay config init      write a configuration to edit
      cc-relay serve            start the relay
      cc-relay config cc init   point Claude Code at it
    """


def main() -> None:
    """The console script."""
    cc_relay.main(prog_name="cc-relay")
