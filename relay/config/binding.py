"""What a configuration means on the address the server is really bound to.

`server.listen` is where a relay would listen if it were started now. A reload does not move it,
and gunicorn's own `--bind` wins over it, so who may connect is decided by the bound address: a
file that would be safe on loopback is not put in force on a wider one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from relay.config import addresses
from relay.config.addresses import NotAnAddress
from relay.config.loading import ConfigRefused
from relay.config.model import Config

VARIABLE: Final = "CC_RELAY_BOUND"
"""The widest address the server is bound to; the workers inherit it from their master."""


def widest(binds: Iterable[str], listen: str) -> str:
    """The first of the addresses that is not loopback, else the first; `listen` without any."""
    known = list(binds) or [listen]
    return next((bind for bind in known if not is_loopback(bind)), known[0])


def of(environ: Mapping[str, str], config: Config) -> str:
    """The bound address, as the master left it; without a master, `server.listen`."""
    return environ.get(VARIABLE) or config.server.listen


def apply(config: Config, bound: str) -> Config:
    """The configuration as it holds on `bound`.

    Raises: `ConfigRefused` when the address is not loopback and nothing authenticates clients.
    """
    if is_loopback(bound):
        return config
    auth = config.server.auth
    if not (auth.api_key or auth.allow_bearer or auth.allow_anonymous):
        fault = (
            f"server.auth: the relay is bound to {bound}, which is not loopback, and nothing "
            "authenticates clients: set api_key or allow_bearer, or restart it on loopback"
        )
        raise ConfigRefused(config.path, (fault,))
    if is_loopback(config.server.listen):
        # `auto` was resolved for loopback, where everybody is on this machine.
        auth = replace(auth, any_bearer_uses_keys=False)
    return replace(config, server=replace(config.server, auth=auth))


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address; a unix socket is one of those."""
    if address.startswith("unix:"):
        return True
    try:
        return addresses.is_loopback(addresses.parse_listen(address).host)
    except NotAnAddress:
        return False
