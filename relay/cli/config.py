"""`config`: the configuration file, and Claude Code's."""

from typing import Final

import click

from relay.cli.lazy import LazyGroup
from relay.cli.options import config_option

COMMANDS: Final = {
    "init": "relay.cli.config_init:init",
    "validate": "relay.cli.config_validate:validate",
    "show": "relay.cli.config_show:show",
    "cc": "relay.cli.claude_code:cc",
}


@click.group(cls=LazyGroup, places=COMMANDS)
@config_option
def config() -> None:
    """The configuration, and that of Claude Code."""
