"""Client keys and scenarios: names once only, and nothing that would open a hole if ignored."""

from collections.abc import Mapping
from typing import Any

from relay.config.findings import REQUIRED, Findings
from relay.config.place import Place


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `clients:` and `scenarios:`.

    Client keys are not in this version. A file that relies on them is refused, not warned about:
    without them it would admit everybody.
    """
    clients = values.get("clients", {})
    if clients.get("required"):
        findings.refuse(
            ("clients", "required"),
            "true cannot be kept: this version has no client keys, and would let everybody in; "
            "use server.auth.api_key",
        )
    if clients.get("keys"):
        findings.refuse(
            ("clients", "keys"),
            "this version has no client keys and would refuse their holders; use "
            "server.auth.api_key",
        )
    for index, entry in enumerate(clients.get("keys", ())):
        if entry.get("key") is not None and not entry["key"]:
            findings.refuse(("clients", "keys", index, "key"), REQUIRED)
    for section, entries in (
        ("clients.keys", clients.get("keys", ())),
        ("scenarios", values.get("scenarios", ())),
    ):
        _check_names(tuple(section.split(".")), entries, findings)
    for index, scenario in enumerate(values.get("scenarios", ())):
        use = scenario.get("use", {"model": None})
        if not use.get("providers") and use.get("model") == "":
            findings.refuse(("scenarios", index, "use"), "needs providers, or model, or both")
        _check_headers(("scenarios", index, "when", "headers"), scenario, findings)


def _check_names(place: tuple[str, ...], entries: list[dict[str, Any]], findings: Findings) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name = entry.get("name")
        if name in seen:
            findings.refuse((*place, index, "name"), f'"{name}" is there twice')
        elif name:
            seen.add(name)


def _check_headers(place: Place, scenario: Mapping[str, Any], findings: Findings) -> None:
    """A header in two spellings would be one condition less than the file says."""
    seen: set[str] = set()
    for name in scenario.get("when", {}).get("headers", {}):
        if name.lower() in seen:
            findings.refuse((*place, name), "is there twice (letter case makes no difference)")
        seen.add(name.lower())
