"""cc-relay: a proxy between clients of the Anthropic Messages API and those who answer.

The life of a request:

    downstream                                                              upstream
    ─────────► web.v1 ► exchange.inbound ► routing ► keys ► providers ► upstream ─────────►
               who      what is asked      where     lease  URL, body   the one socket user
                                           ◄── failover: next candidate, until commit ──►
    ◄───────── web.v1 ◄ stream.body ◄ stream.tap … ◄────────────────── stream.gate ◄────────
               WSGI iterable           close(): lease, slot, log line: once

Each layer imports only what stands below it: app, serving · web, cli · runtime · exchange · keys ·
limits, breaker, routing, providers, upstream, stream, clients · config · messages, observe ·
errors, clock, secret, wire. `docs/architecture.md` has the whole picture.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flask import Flask

__version__: Final = "0.1.0"


def create_app(config_path: str | Path | None = None) -> "Flask":
    """The WSGI application. Without a path the usual places are searched (contract).

    Raises: `relay.config.loading.ConfigRefused` with every fault of the file.
    """
    from relay.app import create_app as compose  # noqa: PLC0415  `import relay` loads no Flask

    return compose(config_path)
