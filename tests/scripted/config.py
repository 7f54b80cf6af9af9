"""Configurations for the relay under test, as the mappings that its YAML files hold.

The retry budget and the breaker's threshold are out of the way unless a test is about them, so
that a relay serves many failing tests one after the other.
"""

from typing import Any

from tests.scripted.upstream import Upstream

_ROUTING: dict[str, Any] = {"retry_budget": {"ratio": 1.0, "reserve": 1000}}
_HEALTH: dict[str, Any] = {"circuit_breaker": {"failure_threshold": 1_000_000}}


def provider(
    name: str, upstream: Upstream | str, *keys: str, type: str = "anthropic", **settings: Any
) -> dict[str, Any]:
    """One entry of `providers:`."""
    url = upstream if isinstance(upstream, str) else upstream.url
    entry = {"name": name, "type": type, "base_url": url} | settings
    return entry | ({"keys": [{"key": key} for key in keys]} if keys else {})


def config(
    *providers: dict[str, Any],
    server: dict[str, Any] | None = None,
    routing: dict[str, Any] | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """A whole configuration; `server.listen` and `server.workers` are the relay's to add."""
    return {
        "server": server or {},
        "routing": _ROUTING | (routing or {}),
        "health": _HEALTH,
        "providers": list(providers),
    } | sections
