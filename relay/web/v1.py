"""`/v1/…`: the relayed paths, and the lists that are answered from the configuration.

Each view opens the account of its exchange first (`_begun`), then asks who calls and takes a place,
all before a byte of the body is read (behaviour 1, steps 1 to 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from flask import Blueprint, request

from relay.clients.authenticate import Client
from relay.errors import MethodNotAllowed, Overloaded, Unauthenticated
from relay.exchange import failover, inbound, passage
from relay.exchange.exchange import Exchange
from relay.exchange.reply import Reply
from relay.exchange.settle import Settlement
from relay.observe.access import log_began, log_refusal
from relay.routing.models import provider_rows
from relay.runtime import Runtime
from relay.stream.disconnect import Presence
from relay.stream.pump import outlet
from relay.web import current
from relay.web.receive import body_of, headers_of, path_of
from relay.web.request_id import NAMES_ITSELF, REQUEST_ID
from relay.web.response import PreparedResponse

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

v1 = Blueprint("v1", __name__, url_prefix="/v1")

_OWN: Final[Mapping[str, str]] = {
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/models": "GET, HEAD",
    "/v1/providers": "GET, HEAD",
}
_RELAYED: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


@v1.post("/messages")
def create_message() -> PreparedResponse:
    """Relay one message."""
    return PreparedResponse(failover.serve(_exchange(_begun(), "/v1/messages")))


@v1.post("/messages/count_tokens")
def count_tokens() -> PreparedResponse:
    """Relay a count, or estimate it where the provider has none."""
    return PreparedResponse(failover.serve(_exchange(_begun(), "/v1/messages/count_tokens")))


@v1.get("/models")
def models() -> PreparedResponse:
    """List what the configuration offers."""
    begun = _begun()
    _admit(begun, headers_of(begun.environ))
    query = request.args
    page = begun.runtime.means.catalogue.page(
        query.get("limit"), query.get("after_id"), query.get("before_id")
    )
    return _listed(page, begun)


@v1.get("/models/<path:model_id>")
def model(model_id: str) -> PreparedResponse:
    """One entry of the list; the id may be percent-encoded."""
    begun = _begun()
    _admit(begun, headers_of(begun.environ))
    return _listed(begun.runtime.means.catalogue.entry(model_id), begun)


@v1.get("/providers")
def providers() -> PreparedResponse:
    """List the enabled providers, without their credentials."""
    begun = _begun()
    _admit(begun, headers_of(begun.environ))
    rows = provider_rows(begun.runtime.config.providers, down=begun.runtime.down())
    return _listed({"object": "list", "data": rows}, begun)


@v1.route("/<path:rest>", methods=[*_RELAYED, "OPTIONS"])
def other(rest: str) -> PreparedResponse:
    """Everything else under `/v1/`: relayed unchanged to the first `anthropic` provider."""
    begun = _begun()
    path = f"/v1/{rest}"
    allowed = _OWN.get("/v1/models" if path.startswith("/v1/models/") else path)
    if allowed or request.method not in _RELAYED:
        raise MethodNotAllowed(request.method, path, allowed or ", ".join(_RELAYED))
    return PreparedResponse(passage.serve(_exchange(begun, path_of(begun.environ))))


@dataclass(slots=True)
class _Begun:
    """A request whose account is open, so that every ending finds it."""

    environ: "WSGIEnvironment"
    runtime: Runtime
    """The one it keeps, whatever is loaded meanwhile."""
    settlement: Settlement


def _begun() -> _Begun:
    environ, relay = request.environ, current.relay()
    request_id, method, path = environ[REQUEST_ID], environ["REQUEST_METHOD"], environ["PATH_INFO"]
    settlement = Settlement(relay.lasting, request_id=request_id, method=method, path=path)
    current.begin(environ, settlement)
    log_began(request_id, method, path)
    return _Begun(environ, relay.runtime, settlement)


def _exchange(begun: _Begun, path: str) -> Exchange:
    environ, runtime, settlement = begun.environ, begun.runtime, begun.settlement
    means = runtime.means
    headers = headers_of(environ)
    client, presence = _admit(begun, headers)
    _take_place(runtime, settlement)
    body = body_of(environ, headers, runtime.config.server, means.lasting.clock)
    asked = inbound.read(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        request_id=environ[REQUEST_ID],
        names_itself=environ[NAMES_ITSELF],
    )
    settlement.model = asked.model
    means.inspection.request_body(asked.request_id, body)
    return Exchange(
        inbound=asked,
        client=client,
        means=means,
        settlement=settlement,
        presence=presence,
        outlet=outlet(environ) if asked.stream else None,
        model=means.catalogue.resolve(asked.model) if asked.model else "",
    )


def _admit(begun: _Begun, headers: Mapping[str, str]) -> tuple[Client, Presence]:
    runtime, settlement = begun.runtime, begun.settlement
    try:
        client = runtime.gatekeeper.admit(headers)
    except Unauthenticated as error:
        log_refusal(str(error))
        raise
    settlement.client = client.name
    presence = runtime.means.lasting.watch.watch(
        begun.environ.get("gunicorn.socket"),
        write_timeout_s=runtime.config.server.write_timeout_ms / 1000,
    )
    settlement.owes(presence.stop)
    return client, presence


def _take_place(runtime: Runtime, settlement: Settlement) -> None:
    lasting = runtime.means.lasting
    running = lasting.running
    if running.count >= running.capacity:
        raise Overloaded("this worker is full")
    slot = lasting.slots.take(runtime.config.server.max_concurrent)
    if slot is None:
        raise Overloaded(
            f"all {runtime.config.server.max_concurrent} places (server.max_concurrent) are taken"
        )
    settlement.owes(slot.release)
    running.enter()
    settlement.owes(running.leave)


def _listed(document: Mapping[str, object], begun: _Begun) -> PreparedResponse:
    body = msgspec.json.encode(document)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    begun.settlement.end(200, "complete")
    return PreparedResponse(Reply(200, headers, (body,)))
