"""What the command line says over the configuration file, also after every reload.

`cc-relay serve` puts its options into the variable `CC_RELAY_OVERRIDES`, as a JSON object that
holds the given ones only; every worker reads it when it loads the file. What the file's own
checks would have refused is refused here as well, so that an option opens no door the file
could not.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias, TypedDict, cast

from relay.config import addresses
from relay.config.loading import ConfigRefused
from relay.config.model import Config, LoggingConfig, ServerConfig

VARIABLE: Final = "CC_RELAY_OVERRIDES"

Level: TypeAlias = Literal["debug", "info", "warn", "error"]
Format: TypeAlias = Literal["json", "console", "text", "pretty"]

LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warn", "error")
FORMATS: Final[tuple[Format, ...]] = ("json", "console", "text", "pretty")


class Overrides(TypedDict, total=False):
    """The options of `serve` that were given."""

    listen: str
    workers: int
    log_level: Level
    log_format: Format
    debug: bool


def from_environ(environ: Mapping[str, str]) -> Overrides:
    """The overrides a process was started with; empty without the variable.

    Raises: `ConfigRefused` if the variable holds something else.
    """
    text = environ.get(VARIABLE, "")
    try:
        document = json.loads(text or "{}")
    except ValueError:
        document = None
    faults = list(_faults_of_form(document))
    if faults:
        raise ConfigRefused(None, faults)
    return cast("Overrides", document)


def apply(config: Config, overrides: Overrides) -> Config:
    """The configuration with the overrides in force. Raises: `ConfigRefused`."""
    changed = replace(
        config,
        server=_server(config.server, overrides),
        logging=_logging(config.logging, overrides),
    )
    faults = tuple(_faults_of_meaning(changed, overrides))
    if faults:
        raise ConfigRefused(config.path, faults)
    return changed


def _server(server: ServerConfig, overrides: Overrides) -> ServerConfig:
    listen = overrides.get("listen", server.listen)
    auth = server.auth
    if _is_loopback(server.listen) and not _is_loopback(listen):
        # The file's `auto` was resolved for loopback, where everybody is on this machine. It
        # cannot be told from a `true` any more, and the open door is the worse mistake.
        auth = replace(auth, any_bearer_uses_keys=False)
    workers = overrides.get("workers", server.workers)
    return replace(server, listen=listen, workers=workers, auth=auth)


def _logging(logging: LoggingConfig, overrides: Overrides) -> LoggingConfig:
    if overrides.get("debug"):
        options = replace(
            logging.debug_options,
            log_request_body=True,
            log_response_headers=True,
            log_tls_metrics=True,
        )
        logging = replace(logging, level="debug", debug_options=options)
    # After `debug`: a level beside it wins.
    if level := overrides.get("log_level"):
        logging = replace(logging, level=level)
    if wanted := overrides.get("log_format"):
        logging = replace(logging, format="json" if wanted == "json" else "console")
    return logging


def _faults_of_meaning(config: Config, overrides: Overrides) -> Iterator[str]:
    server = config.server
    if "listen" in overrides:
        if fault := addresses.listen_fault(server.listen):
            yield f"--listen: {server.listen!r} {fault}"
        elif not _is_loopback(server.listen) and not _authenticates(server):
            yield (
                f"--listen: {server.listen!r} is not loopback and nothing authenticates clients: "
                "set server.auth.api_key, or allow_bearer"
            )
    if server.workers > 1 and config.state.url.matches("memory:") and "workers" in overrides:
        yield f"--workers: {server.workers} must be 1 with state.url memory:"


def _faults_of_form(document: object) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f"{VARIABLE}: must be a JSON object"
        return
    for key, value in document.items():
        match key, value:
            case ("listen", str()) | ("debug", bool()):
                continue
            case ("workers", int()) if not isinstance(value, bool) and value >= 0:
                continue
            case ("log_level", str()) if value in LEVELS:
                continue
            case ("log_format", str()) if value in FORMATS:
                continue
        yield f"{VARIABLE}: {key}: {value!r} is not a known override"


def _authenticates(server: ServerConfig) -> bool:
    auth = server.auth
    return bool(auth.api_key) or auth.allow_bearer or auth.allow_anonymous


def _is_loopback(listen: str) -> bool:
    try:
        return addresses.is_loopback(addresses.parse_listen(listen).host)
    except addresses.NotAnAddress:
        return False
