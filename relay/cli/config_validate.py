"""`config validate`: exactly the load that `serve` does, and nothing else."""

import os
from pathlib import Path

import click

from relay.cli import configured
from relay.cli.options import chosen_config, config_option, echo_json, json_option
from relay.config import loading
from relay.config.loading import ConfigRefused


@click.command
@config_option
@json_option
@click.argument("path", required=False, type=click.Path(path_type=Path))
def validate(*, path: Path | None, as_json: bool) -> None:
    """Check a configuration.

    Every fault is told at once; no socket is opened.
    """
    file = path
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    try:
        file = file or loading.find(chosen_config(), os.environ, Path.cwd())
        warnings = loading.load(file, os.environ).warnings
    except ConfigRefused as refused:
        if not as_json:
            raise configured.not_valid(refused) from refused
        faults = refused.faults
    if as_json:
        report = {
            "path": file and str(file),
            "valid": not faults,
            "faults": faults,
            "warnings": warnings,
        }
        echo_json(report)
    else:
        for warning in warnings:
            click.echo(warning, err=True)
        click.echo(f"{file} is valid")
    if faults:
        raise click.exceptions.Exit(1)
