"""What the application of the current request is made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from flask import current_app, request

from relay.exchange.lasting import Lasting
from relay.exchange.settle import Settlement
from relay.web.request_id import ACCOUNT

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from relay.runtime import Runtime

EXTENSION: Final = "cc-relay"


@dataclass(slots=True)
class Relay:
    """The one thing a view asks for: the runtime now in force. A reload replaces it."""

    runtime: "Runtime"
    lasting: Lasting


def relay() -> Relay:
    """The relay that this application serves."""
    return cast("Relay", current_app.extensions[EXTENSION])


def settlement() -> Settlement | None:
    """The account of the current exchange, where one was begun."""
    return cast("Settlement | None", request.environ.get(ACCOUNT))


def begin(environ: "WSGIEnvironment", account: Settlement) -> None:
    """Make this the account of a request, so that every ending finds it."""
    environ[ACCOUNT] = account
