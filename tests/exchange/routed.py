"""What the routing makes of a request, without asking anybody."""

import json
from collections.abc import Mapping
from typing import Any

from relay.breaker.transitions import State
from relay.exchange import inbound
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import MESSAGES
from relay.exchange.route import Route, Routing
from relay.exchange.standing import Standing
from relay.stream.disconnect import Absent
from tests.exchange.driving import NO_HEADERS, Driven
from tests.scripted.client import MSG

NOWHERE = "http://127.0.0.1:9"
"""For providers that are not asked."""


def breaker(**settings: int) -> dict[str, Any]:
    """The section `health` with a breaker that opens at the first failure."""
    return {"circuit_breaker": {"failure_threshold": 1, **settings}}


def exchange(
    driven: Driven, body: bytes = MSG, headers: Mapping[str, str] = NO_HEADERS
) -> Exchange:
    """What the views make of a request to `/v1/messages`."""
    asked = inbound.read(
        method="POST",
        path=MESSAGES,
        query="",
        headers=headers,
        body=body,
        request_id="r-1",
        names_itself=False,
    )
    return driven.exchange(asked, Absent())


def route(
    driven: Driven,
    body: bytes = MSG,
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    peek: bool = False,
) -> Route:
    """Where it may go, and in which order."""
    made = exchange(driven, body, headers)
    asked = Asked(made.inbound, made.client.name)
    return Routing(made, asked, Standing(driven.runtime.means), peek=peek).route()


def order(driven: Driven, body: bytes = MSG, **asked: Any) -> str:
    """The names of the route, which are letters."""
    return "".join(upstream.name for upstream in route(driven, body, **asked).order)


def excluded(found: Route) -> dict[str, str]:
    """Who is not asked, and why."""
    return {each.upstream.name: each.reason for each in found.excluded}


def fail(driven: Driven, name: str, times: int = 1) -> None:
    """Let the breaker of a provider hear of failures."""
    config = driven.runtime.config.health.circuit_breaker
    breakers = driven.lasting.breakers
    for _ in range(times):
        now, (record,) = driven.lasting.store.look([breakers.name(name)])
        permit = breakers.admit(name, record, now, config)
        assert permit is not None
        permit.failure("a test says so")


def state(driven: Driven, name: str) -> State:
    """How the breaker of a provider stands."""
    means = driven.runtime.means
    (upstream,) = (each for each in means.upstreams if each.name == name)
    return Standing(means).state(upstream)


def message(model: str = "claude-x", **fields: Any) -> bytes:
    """A request."""
    whole = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps(whole | fields).encode()
