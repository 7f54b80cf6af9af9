"""`config init`: write a configuration to begin with."""

import os
from pathlib import Path
from typing import Final

import click

from relay.cli import configured
from relay.cli.options import chosen_config, config_option
from relay.cli.refused import Refused
from relay.cli.replace_file import PRIVATE, make_folder, replace_file
from relay.config import folders
from relay.config.template import template

_YAML: Final = {".yaml", ".yml"}


@click.command
@config_option
@click.option(
    "-o",
    "output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where to write; by default config.yaml in ~/.config/cc-relay.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--if-missing", is_flag=True, help="Do nothing where a configuration is found.")
def init(*, output: Path | None, force: bool, if_missing: bool) -> None:
    """Write a configuration to begin with."""
    if if_missing and (there := _present(output)):
        click.echo(f"{there} is there already", err=True)
        return
    path = (output or chosen_config() or _usual_place()).absolute()
    if path.suffix.lower() not in _YAML:
        raise click.UsageError(f"{path}: must end in .yaml or .yml, the template is YAML")
    make_folder(path.parent)
    write(path, template().encode(), force=force)
    click.echo(f"wrote {path}")
    click.echo(_next_steps(path))


def write(path: Path, content: bytes, *, force: bool) -> None:
    """Put the content there, for its owner alone; over what is there only by force."""
    if force:
        replace_file(path, content, mode=PRIVATE)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as error:
        raise Refused(f"{path}: exists; --force overwrites it") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _present(output: Path | None) -> Path | None:
    if output is not None:
        return output if os.path.lexists(output) else None
    try:
        path = configured.found()
    except Refused:
        return None
    return path if path.exists() else None


def _usual_place() -> Path:
    configured.home()  # refused here in a person's words
    return folders.config_folder(os.environ) / "config.yaml"


def _next_steps(path: Path) -> str:
    usual = path == _usual_place()
    command = "cc-relay serve" if usual else f"cc-relay serve --config {path}"
    return (
        "next:\n"
        "  export ANTHROPIC_API_KEY=…   unless clients bring their own credential\n"
        f"  {command}\n"
        "  cc-relay config cc init      points Claude Code at the relay"
    )
