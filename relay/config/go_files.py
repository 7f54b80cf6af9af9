"""Files written for the Go cc-relay: what has no meaning here, and what has another name.

Each key of the tables gives one warning. What is left is checked like any other file.
"""

from collections.abc import Mapping
from typing import Any, Final

from relay.config.findings import Findings
from relay.config.place import Place

WITHOUT_MEANING: Final[tuple[Place, ...]] = (
    ("cache",),
    ("server", "enable_http2"),
    ("grpc", "web_listen"),
    ("metrics", "prometheus_endpoint"),
    ("metrics", "prometheus_listen"),
    ("routing", "failover"),
    ("routing", "cost_based"),
    ("health", "check_interval_seconds"),
    ("health", "circuit_breaker", "recovery_timeout_seconds"),
    ("health", "circuit_breaker", "triggers"),
)

MOVED: Final[Mapping[Place, Place]] = {
    ("grpc", "listen"): ("management", "grpc", "listen"),
    ("logging", "file"): ("logging", "output"),
}

RENAMED_STRATEGIES: Final[Mapping[str, str]] = {
    "simple-shuffle": "shuffle",
    "round-robin": "round_robin",
    "least-busy": "least_loaded",
}


def adopted(tree: Mapping[str, object], findings: Findings) -> dict[str, Any]:
    """The tree with Go names turned into ours; the one given stays as it is."""
    copy = {key: _copied(value) for key, value in tree.items()}
    for place in WITHOUT_MEANING:
        if _take(copy, place) is not None:
            findings.warn(place, "has no meaning here and is ignored")
    for old, new in MOVED.items():
        _move(copy, old, new, findings)
    if copy.get("grpc") in ({}, None):  # nothing but what was taken out above
        copy.pop("grpc", None)
    _rename_strategy(copy.get("routing"), ("routing", "strategy"), findings)
    providers = copy.get("providers")
    for index, provider in enumerate(providers if isinstance(providers, list) else ()):
        pooling = provider.get("pooling") if isinstance(provider, dict) else None
        _rename_strategy(pooling, ("providers", index, "pooling", "strategy"), findings)
    return copy


def _copied(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _take(tree: dict[str, Any], place: Place) -> object:
    """Remove what stands at a place, and give it; None if nothing does."""
    inner: object = tree
    for step in place[:-1]:
        inner = inner.get(step) if isinstance(inner, dict) else None
    return inner.pop(place[-1], None) if isinstance(inner, dict) else None


def _move(tree: dict[str, Any], old: Place, new: Place, findings: Findings) -> None:
    value = _take(tree, old)
    if value is None:
        return
    target = ".".join(map(str, new))
    inner = tree
    for step in new[:-1]:
        if inner.get(str(step)) is None:
            inner[str(step)] = {}
        inner = inner[str(step)]
        if not isinstance(inner, dict):
            return  # refused where it is checked
    if inner.get(str(new[-1])) is not None:
        findings.warn(old, f"is ignored, because {target} is given too")
        return
    findings.warn(old, f"is read as {target}")
    inner[str(new[-1])] = value


def _rename_strategy(section: object, place: Place, findings: Findings) -> None:
    if not isinstance(section, dict):
        return
    ours = RENAMED_STRATEGIES.get(str(section.get("strategy")))
    if ours is not None:
        findings.warn(place, f'"{section["strategy"]}" is read as "{ours}"')
        section["strategy"] = ours
