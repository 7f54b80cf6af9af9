"""`serve`: check everything that can be checked, then become gunicorn.

The process is replaced, so signals, exit code and re-execution are gunicorn's own. The workers
load the file themselves; they learn which one, and what stands over it, from the environment.
"""

import json
import os
import socket
import sys
from typing import Final, cast

import click

from relay.cli import configured
from relay.cli.options import config_option
from relay.cli.refused import Refused
from relay.config import addresses, overriding
from relay.config.addresses import NotAnAddress
from relay.config.loading import ConfigRefused
from relay.config.overriding import FORMATS, LEVELS, Overrides

GUNICORN: Final = (
    "-m",
    "gunicorn",
    "-k",
    "gevent",
    "-c",
    "python:relay.gunicorn_settings",
    "relay.app:create_app()",
)


def _listen(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            addresses.parse_listen(value)
        except NotAnAddress as error:
            raise click.BadParameter(f"{value!r} {error}") from error
    return value


@click.command
@config_option
@click.option("--listen", metavar="HOST:PORT", callback=_listen, help="Over server.listen.")
@click.option("--workers", type=click.IntRange(min=0), help="Over server.workers; 0: by CPU.")
@click.option(
    "--log-level", type=click.Choice(LEVELS, case_sensitive=False), help="Over logging.level."
)
@click.option(
    "--log-format", type=click.Choice(FORMATS, case_sensitive=False), help="Over logging.format."
)
@click.option(
    "--debug", is_flag=True, default=None, help="Level debug, with request bodies and headers."
)
def serve(**options: object) -> None:
    """Start the relay. Options stay in force over every reload of the file."""
    given = {name: value for name, value in options.items() if value is not None}
    start(cast("Overrides", given))  # click has checked every one of them


def start(overrides: Overrides) -> None:
    """Become gunicorn. Returns only by `Refused`."""
    path = configured.found()
    try:
        config = overriding.apply(configured.loaded(path), overrides)
    except ConfigRefused as refused:
        raise configured.not_valid(refused) from refused
    check_port(config.server.listen)
    os.environ["CC_RELAY_CONFIG"] = str(path)
    os.environ[overriding.VARIABLE] = json.dumps(overrides)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *GUNICORN])  # noqa: S606  our own interpreter


def check_port(listen: str) -> None:
    """Refuse an address that cannot be bound: gunicorn would try for five seconds first."""
    address = addresses.parse_listen(listen)
    try:
        candidates = socket.getaddrinfo(
            address.host or "0.0.0.0",  # noqa: S104  an empty host says so
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        family, kind, protocol, _, place = candidates[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            sock.bind(place)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(f"{listen}: cannot be bound: {reason.lower()}") from error
