"""Whether the providers can do their work: served types, keys, credentials, names."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.config.addresses import is_loopback, parse_base_url
from relay.config.findings import REQUIRED, Findings
from relay.config.place import Place
from relay.config.types import LATER_TYPES, TYPES
from relay.secret import Secret

_ANTHROPIC_HOST: Final = "api.anthropic.com"


def enabled(values: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The enabled entries of `providers:` with their positions in the file."""
    for index, provider in enumerate(values.get("providers", ())):
        if provider.get("enabled", True):
            yield index, provider


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `providers:`."""
    _check_names(values, findings)
    if "providers" in values and not any(True for _ in enabled(values)):
        findings.refuse(("providers",), f"no enabled provider found (types: {', '.join(TYPES)})")
    for index, provider in enabled(values):
        place = ("providers", index)
        if provider.get("type") in LATER_TYPES:
            findings.refuse(
                (*place, "type"),
                f'this version does not serve "{provider["type"]}" yet '
                f"(it serves: {', '.join(TYPES)}); enabled: false keeps the entry",
            )
            continue
        _check_keys(provider, place, findings)
        _check_credentials(provider, place, findings)


def _check_names(values: Mapping[str, Any], findings: Findings) -> None:
    seen: set[str] = set()
    for index, provider in enumerate(values.get("providers", ())):
        name = provider.get("name")
        if name in seen:
            findings.refuse(("providers", index, "name"), f"duplicate provider name: {name}")
        elif name:
            seen.add(name)


def _check_keys(provider: Mapping[str, Any], place: Place, findings: Findings) -> None:
    if "keys" not in provider:
        return
    needs_key = "type" in provider and TYPES[provider["type"]].needs_key
    if needs_key and not provider["keys"]:
        findings.refuse(
            (*place, "keys"), f'{REQUIRED}: type "{provider["type"]}" needs at least one key'
        )
    if provider.get("pooling", {}).get("enabled") and not provider["keys"]:
        findings.refuse((*place, "pooling", "enabled"), "true needs at least one key")
    usable = any(entry.get("key") for entry in provider["keys"])
    first: dict[Secret, int] = {}
    for position, entry in enumerate(provider["keys"]):
        here = (*place, "keys", position)
        key: Secret | None = entry.get("key")  # None: it had a fault
        if key:
            _check_key(key, here, findings)
            if first.setdefault(key, position) != position:
                findings.warn(here, f"is the same key as keys[{first[key]}]; they count as one")
        elif key is not None:
            _check_empty_key((*here, "key"), findings, needed=needs_key, others=usable)


def _check_empty_key(place: Place, findings: Findings, *, needed: bool, others: bool) -> None:
    if needed:
        findings.refuse(place, REQUIRED)
    elif hint := findings.hint(place):
        result = "this key is left out" if others else "clients need a credential of their own"
        findings.warn(place, f"{hint}, so {result}")


def _check_key(key: Secret, place: Place, findings: Findings) -> None:
    text = key.reveal()
    if not text.isprintable() or text != text.strip():
        findings.warn(
            (*place, "key"), "holds control characters or outer white space, which no header can"
        )


def _check_credentials(provider: Mapping[str, Any], place: Place, findings: Findings) -> None:
    if provider.get("type") != "anthropic":
        return
    auth = provider.get("auth")
    usable = any(entry.get("key") is None or entry["key"] for entry in provider.get("keys", ()))
    if auth == "configured" and "keys" in provider and not usable:
        findings.warn(
            (*place, "auth"), "configured, but there is no key: requests go out without credential"
        )
    base_url = provider.get("base_url")
    if auth == "auto" and base_url:
        host = parse_base_url(base_url.reveal()).hostname or ""
        if host.rstrip(".") != _ANTHROPIC_HOST and not is_loopback(host):
            findings.warn(
                (*place, "auth"),
                f'auto sends clients\' own tokens to "{host}"; configured sends only your key',
            )
