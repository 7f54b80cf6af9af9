"""A click group whose commands are loaded when they are asked for."""

import importlib
import io
import sys
from collections.abc import Mapping
from typing import Any

import click

from relay.cli.refused import told_in_one_line


class LazyGroup(click.Group):
    """Commands by name, each as `module:attribute`, listed in the order given.

    Without a command it prints its help and is content: asking what there is is no mistake.
    """

    def __init__(
        self, *args: Any, places: Mapping[str, str], is_command: bool = False, **kwargs: Any
    ) -> None:
        """`is_command`: without one of its commands it does something itself."""
        super().__init__(*args, **{**kwargs, "invoke_without_command": True})
        self._places = places
        self.is_command = is_command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(self._places)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        cmd_name: str,
    ) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A path or a model name that the terminal's encoding lacks is no reason to fail.
                stream.reconfigure(errors="backslashreplace")
        with told_in_one_line():
            result = super().invoke(ctx)
        if ctx.invoked_subcommand is None and not self.is_command:
            click.echo(ctx.get_help())
        return result
