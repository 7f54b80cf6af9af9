"""Exchanges that go on beside a test, and keys that rest while they wait."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import gevent

from relay.errors import ClientLeft, RelayError
from tests.exchange.driving import NO_HEADERS, Driven, Served
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

LONG_MS = 20_000
SOON_S = 3.0

One: TypeAlias = "gevent.Greenlet[..., Served | Exception]"
"""An exchange that goes on."""


def limited(upstream: Upstream, name: str = "A", **limits: Any) -> dict[str, Any]:
    """A provider with one key."""
    return provider(name, upstream, keys=[{"key": "k1", **limits}])


def queueing(*providers: dict[str, Any], **routing: Any) -> dict[str, Any]:
    """A relay that lets exchanges wait."""
    return config(*providers, routing={"queue_ms": LONG_MS, **routing})


def asks(text: str, model: str = "claude-x", **fields: Any) -> bytes:
    """A request to be known by its text."""
    said = [{"role": "user", "content": text}]
    return json.dumps({"model": model, "max_tokens": 5, "messages": said} | fields).encode()


def texts(upstream: Upstream) -> list[str]:
    """What was asked, in the order it arrived."""
    return [request.fields()["messages"][0]["content"] for request in upstream.requests]


class Waiting:
    """Starts exchanges, and ends those that are left."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven
        self._all: list[One] = []

    def ask(self, body: bytes = MSG, headers: Mapping[str, str] = NO_HEADERS, **asked: Any) -> One:
        """One more, which stands in line when this returns if it has to."""
        one = gevent.spawn(self._ask, body, headers, asked)
        self._all.append(one)
        gevent.sleep(0)
        return one

    def _ask(
        self, body: bytes, headers: Mapping[str, str], asked: dict[str, Any]
    ) -> Served | Exception:
        try:
            return self._driven.ask(body, headers, **asked)
        except (RelayError, ClientLeft) as error:
            return error

    def close(self) -> None:
        """Leave none of them."""
        gevent.killall(self._all)


def rest(driven: Driven, seconds: float, *names: str) -> None:
    """As a 429 of each provider makes its first key rest."""
    for upstream in driven.runtime.means.upstreams:
        if upstream.name in (names or "A"):
            upstream.pool.rest(0, seconds)


def in_line(driven: Driven, count: int) -> None:
    """Wait until so many stand in line."""
    ends = driven.clock.monotonic() + SOON_S
    while driven.lasting.lines.waiting != count:
        assert driven.clock.monotonic() < ends, f"{driven.lasting.lines.waiting} in line"
        gevent.sleep(0.005)


def outcome(one: One, within_s: float = SOON_S) -> Any:
    """What became of it."""
    return one.get(timeout=within_s)
