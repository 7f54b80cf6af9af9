"""Whether the names that routing and scenarios use are names of enabled providers."""

from collections.abc import Mapping
from typing import Any

from relay.config.checking.providers import enabled
from relay.config.findings import Findings
from relay.config.place import Place


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `routing:` and `scenarios:` that look at `providers:`."""
    routing = values.get("routing", {})
    if routing.get("strategy") == "model_based" and routing.get("model_mapping") == {}:
        findings.refuse(("routing", "model_mapping"), "is empty, and strategy model_based needs it")
    names = {provider.get("name") for _, provider in enabled(values)}
    for place, name in _used(values):
        if name and name not in names:
            findings.warn(place, f'"{name}" is no enabled provider')


def _used(values: Mapping[str, Any]) -> list[tuple[Place, str]]:
    routing = values.get("routing", {})
    used: list[tuple[Place, str]] = [
        (("routing", "model_mapping", prefix), name)
        for prefix, name in routing.get("model_mapping", {}).items()
    ]
    used.append((("routing", "default_provider"), routing.get("default_provider", "")))
    for index, scenario in enumerate(values.get("scenarios", ())):
        for position, name in enumerate(scenario.get("use", {}).get("providers", ())):
            used.append((("scenarios", index, "use", "providers", position), name))
    return used
