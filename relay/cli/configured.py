"""The configuration as a command needs it: found, loaded, and refused in a person's words."""

import os
from pathlib import Path
from typing import Final

from relay.cli.options import chosen_config
from relay.cli.refused import Refused
from relay.config import addresses, loading
from relay.config.addresses import Listen, NotAnAddress
from relay.config.loading import ConfigRefused
from relay.config.model import Config

_EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  dialled

_NO_HOME: Final = "HOME: is not set, and this user has no folder of their own"


def found() -> Path:
    """The absolute path of the file that applies. Links are kept: a reload follows them."""
    try:
        path = loading.find(chosen_config(), os.environ, Path.cwd())
    except ConfigRefused as refused:
        raise Refused(*refused.faults) from refused
    except RuntimeError as error:
        raise Refused(f"{_NO_HOME}; name the file with --config") from error
    return path.absolute()


def loaded(path: Path) -> Config:
    """Load one file exactly as `serve` does."""
    try:
        return loading.load(path, os.environ)
    except ConfigRefused as refused:
        raise not_valid(refused) from refused


def not_valid(refused: ConfigRefused) -> Refused:
    """What is said of a file that cannot be used: its name, then every fault."""
    if refused.path is None or refused.faults[0].startswith(str(refused.path)):
        return Refused(*refused.faults)
    return Refused(f"{refused.path} is not valid", *refused.faults)


def home() -> Path:
    """The user's folder. Refused where there is none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise Refused(_NO_HOME) from error


def listening(path: Path) -> Listen:
    """Where a relay with this file listens: `server.listen` alone, whatever else is wrong."""
    try:
        return addresses.parse_listen(loading.listen_of(path, os.environ))
    except ConfigRefused as refused:
        raise Refused(*refused.faults) from refused
    except NotAnAddress as error:
        raise Refused(f"server.listen: {error}") from error


def dialled(listen: Listen) -> Listen:
    """Where to connect: a relay that listens everywhere is asked over loopback."""
    return Listen(_EVERYWHERE.get(listen.host, listen.host), listen.port)


def written(listen: Listen) -> str:
    """As HOST:PORT, IPv6 in brackets."""
    return (
        f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}"
    )
