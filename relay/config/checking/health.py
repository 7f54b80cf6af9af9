"""Whether the rules about errors can do what they say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay.config.checking.providers import enabled
from relay.config.findings import Findings
from relay.config.place import Place

_CONDITIONS: Final = ("statuses", "error_types", "message", "providers")


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `health.error_rules`."""
    names = [provider["name"] for _, provider in enabled(values) if provider.get("name")]
    seen: set[str] = set()
    for index, rule in enumerate(values.get("health", {}).get("error_rules", ())):
        place = ("health", "error_rules", index)
        name = rule.get("name")
        if name in seen:
            findings.refuse((*place, "name"), f'"{name}" is there twice')
        elif name:
            seen.add(name)
        _check_when(rule.get("when", {}), (*place, "when"), names, findings)
        _check_then(rule.get("then", {}), (*place, "then"), findings)


def _check_when(
    when: Mapping[str, Any], place: Place, names: Sequence[str], findings: Findings
) -> None:
    # A condition that is missing here had a fault.
    if all(name in when for name in _CONDITIONS) and not any(when.values()):
        findings.refuse(place, f"needs at least one of {', '.join(_CONDITIONS)}")
    for position, pattern in enumerate(when.get("providers", ())):
        if not any(_fits(name, pattern) for name in names):
            findings.warn((*place, "providers", position), f'"{pattern}" fits no enabled provider')


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _check_then(then: Mapping[str, Any], place: Place, findings: Findings) -> None:
    scope = then.get("scope", "key")  # it had a fault, and may have been meant so
    for name in ("rest_ms", "set_aside"):
        if then.get(name) and scope != "key":
            findings.refuse((*place, name), f'has no meaning with scope "{scope}", only with "key"')
    if then.get("rest_ms") and then.get("set_aside") and scope == "key":
        findings.refuse((*place, "rest_ms"), "a key that is set aside does not rest: leave one out")
