"""Find and load a configuration: one file in, one `Config` or all of its faults out.

    parse → expand variables → adopt Go names → check each section → check across keys → build

Nothing is opened but the file itself, the files its values name, and no socket. What `load`
accepts, the relay serves.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from marshmallow import ValidationError

from relay.config import pending
from relay.config.addresses import listen_fault
from relay.config.building import build
from relay.config.checking import clients, health, listening, paths, providers, routing, state
from relay.config.expanding import Expanded, expand
from relay.config.findings import REQUIRED, Findings
from relay.config.folders import config_places, with_home
from relay.config.go_files import adopted
from relay.config.model import Config
from relay.config.parsing import Unreadable, parse
from relay.config.place import Place, written
from relay.config.schema.file import FileSection
from relay.config.schema.providers import is_disabled
from relay.config.schema.section import loaded
from relay.config.schema.setting import quoted

ENVIRONMENT_VARIABLE: Final = "CC_RELAY_CONFIG"

CHECKS: Final[tuple[Callable[[Mapping[str, Any], Findings], None], ...]] = (
    listening.check,
    providers.check,
    routing.check,
    state.check,
    health.check,
    clients.check,
    paths.check,
    state.check,
    pending.check,  # last: what is wrong is said before what is idle
)

# Values that are paths; a relative one is taken from the folder of the file, wherever the relay
# is started.
_PATHS: Final[tuple[tuple[str, str], ...]] = (("logging", "output"), ("state", "dir"))
_PROVIDER_PATHS: Final = ("ca_file", "gcp_credentials_file")

# What is looked at in a disabled provider.
_LOOKED_AT: Final = frozenset({"name", "type", "enabled"})


class ConfigRefused(Exception):
    """The configuration cannot be used. Each fault is one line, `PATH: what is wrong`."""

    def __init__(self, path: Path | None, faults: Iterable[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def find(explicit: str | Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The file to load: the one that is named, else the first that exists of the usual places.

    A named one need not exist; `load` says what is wrong with it.

    Raises: `ConfigRefused`, with the places.
    """
    named = str(explicit or environ.get(ENVIRONMENT_VARIABLE) or "")
    if named:
        return cwd / with_home(named, environ)
    places = tuple(config_places(environ, cwd))
    for place in places:
        # One that we may not read is taken too: passing it over would start another relay.
        if os.access(place, os.F_OK) and place.is_file():
            return place
    listed = ", ".join(map(str, places))
    fault = (
        f"no configuration found: looked for --config, {ENVIRONMENT_VARIABLE}, {listed}; "
        "`cc-relay config init` writes one"
    )
    raise ConfigRefused(None, [fault])


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration a file holds, complete and checked.

    Raises: `ConfigRefused`, with every fault of the file at once.
    """
    expanded = expand(_parsed(path), environ, path.parent)
    findings = Findings(expanded.missing)
    for place, fault in expanded.faults.items():
        if _counts(place, expanded):
            findings.refuse(place, fault)
    values = _checked(adopted(expanded.tree, findings), findings)
    _resolve_paths(values, path.parent, environ)
    for check in CHECKS:
        check(values, findings)
    if findings.faults:
        raise ConfigRefused(path, findings.faults)
    _warn_of_missing(expanded, findings)
    return build(values, path, environ, findings.warnings)


def listen_of(path: Path, environ: Mapping[str, str]) -> str:
    """The `server.listen` of a file, whatever else is wrong with it.

    Raises: `ConfigRefused` when the file cannot be parsed or has no usable `server.listen`.
    """
    server = _parsed(path).get("server")
    listen = server.get("listen") if isinstance(server, dict) else None
    expanded = expand({"listen": listen}, environ, path.parent)
    value = expanded.tree["listen"]
    findings = Findings({("server", "listen"): expanded.missing.get(("listen",), ())})
    if value is None or value == "":
        findings.refuse(("server", "listen"), REQUIRED)
    elif not isinstance(value, str):
        findings.refuse(("server", "listen"), f"{quoted(value)} is not a string")
    elif (fault := listen_fault(value)) is not None:
        findings.refuse(("server", "listen"), f"{quoted(value)} {fault}")
    else:
        return value
    raise ConfigRefused(path, findings.faults)


def _parsed(path: Path) -> Mapping[str, object]:
    try:
        return parse(path)
    except Unreadable as error:
        raise ConfigRefused(path, (f"{path}: {error}",)) from error


def _checked(tree: Mapping[str, object], findings: Findings) -> dict[str, Any]:
    """The values that are right; what is wrong with the others goes to the findings."""
    try:
        return loaded(FileSection, tree)
    except ValidationError as error:
        for place, text in _flat(error.messages, ()):
            findings.refuse(place, text)
        return error.valid_data if isinstance(error.valid_data, dict) else {}


def _flat(messages: object, place: Place) -> Iterator[tuple[Place, str]]:
    """The nested messages of marshmallow, one by one with their places."""
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _flat(inner, place if step == "_schema" else (*place, step))
    elif isinstance(messages, list):
        for text in messages:
            yield place, str(text)


def _resolve_paths(values: dict[str, Any], folder: Path, environ: Mapping[str, str]) -> None:
    for section, name in _PATHS:
        _resolve(values.get(section, {}), name, folder, environ)
    for _, provider in providers.enabled(values):
        for name in _PROVIDER_PATHS:
            _resolve(provider, name, folder, environ)


def _resolve(section: Any, name: str, folder: Path, environ: Mapping[str, str]) -> None:
    text = section.get(name)
    if text and text not in {"stdout", "stderr"}:
        section[name] = str(Path.cwd() / folder / with_home(text, environ))


def _counts(place: Place, expanded: Expanded) -> bool:
    """Whether a value is looked at: nearly nothing of a disabled provider is."""
    entries = expanded.tree.get("providers")
    if len(place) < 3 or place[0] != "providers" or not isinstance(entries, list):  # noqa: PLR2004 - providers, position, key
        return True
    return place[2] in _LOOKED_AT or not is_disabled(entries[int(place[1])])


def _warn_of_missing(expanded: Expanded, findings: Findings) -> None:
    for place, missing in expanded.missing.items():
        if not _counts(place, expanded) or place[0] == "cache":
            continue
        value = _at(expanded.tree, place)
        for what in missing:
            told = any(text.startswith(f"{written(place)}: {what}") for text in findings.warnings)
            if what.endswith("is not set") and not told:
                findings.warn(place, f"{what} (a plain $ is written $$)" if value else what)


def _at(tree: Any, place: Place) -> object:
    for step in place:
        tree = tree[step]
    return tree
