"""Providers whose keys have limits, and how many requests get through."""

from typing import Any

from relay.errors import KeysResting
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven, quick
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


def limited(drive: Drive, upstream: Upstream, **limits: int) -> Driven:
    """A provider with one key of these limits."""
    key = {"key": "k1", **limits}
    settings = config(provider("A", upstream, keys=[key]))
    return drive(settings, lambda loaded: quick(loaded, idle_ms=60))


def serves(driven: Driven, times: int, body: bytes = MSG, **asked: Any) -> int:
    """How many of so many requests are not refused here."""
    served = 0
    for _ in range(times):
        try:
            driven.ask(body, **asked)
        except KeysResting:
            continue
        served += 1
    return served
