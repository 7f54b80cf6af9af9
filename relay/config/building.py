"""Make the configuration out of checked values: resolve what depends on something else."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relay.config.checking.providers import enabled
from relay.config.folders import state_folder
from relay.config.model import (
    Config,
    HealthConfig,
    KeyConfig,
    LoggingConfig,
    PoolingConfig,
    ProviderConfig,
    ServerConfig,
    StateConfig,
    TimeoutsConfig,
)
from relay.config.schema.health import ErrorRuleSection, HealthSection
from relay.config.schema.logging import LoggingSection
from relay.config.schema.providers import KeySection
from relay.config.schema.routing import RoutingSection
from relay.config.schema.scenarios import ScenarioSection
from relay.config.schema.section import made
from relay.config.schema.server import ServerSection
from relay.config.types import TYPES
from relay.secret import Secret


def build(
    values: Mapping[str, Any],
    path: Path,
    environ: Mapping[str, str],
    warnings: tuple[str, ...],
) -> Config:
    """The configuration that values without a fault stand for."""
    server: ServerConfig = made(ServerSection, values["server"])
    routing = made(RoutingSection, values["routing"])
    logging: LoggingConfig = made(LoggingSection, values["logging"])
    state = values["state"]
    return Config(
        server=server,
        routing=replace(routing, strategy=routing.strategy or "failover"),
        providers=tuple(_provider(provider, server) for _, provider in enabled(values)),
        health=_health(values["health"]),
        logging=logging,
        state=StateConfig(
            dir=Path(state["dir"]) if state["dir"] else state_folder(environ), url=state["url"]
        ),
        scenarios=tuple(made(ScenarioSection, scenario) for scenario in values["scenarios"]),
        path=path,
        warnings=warnings,
    )


def _health(values: Mapping[str, Any]) -> HealthConfig:
    health: HealthConfig = made(HealthSection, values)
    rules = tuple(made(ErrorRuleSection, rule) for rule in values["error_rules"])
    return replace(health, error_rules=rules)


def _provider(values: Mapping[str, Any], server: ServerConfig) -> ProviderConfig:
    type_ = TYPES[values["type"]]
    # The first key of the file gives the provider's priority and weight, even an empty one.
    first: Mapping[str, Any] = values["keys"][0] if values["keys"] else {}
    keys = _keys(values)
    own = values["priority"], values["weight"]
    return ProviderConfig(
        name=values["name"],
        type=values["type"],
        base_url=Secret((values["base_url"].reveal() or type_.base_url).rstrip("/")),
        auth=values["auth"],
        models=type_.models if values["models"] is None else values["models"],
        model_mapping=values["model_mapping"],
        priority=first.get("priority", 0) if own[0] is None else own[0],
        weight=first.get("weight", 1) if own[1] is None else own[1],
        keys=keys,
        pooling=_pooling(values["pooling"], keys),
        timeouts=_timeouts(values["timeouts"], server),
        proxy=values["proxy"],
        ca_file=values["ca_file"],
        signature_family=values["signature_family"],
    )


def _keys(values: Mapping[str, Any]) -> tuple[KeyConfig, ...]:
    unique: dict[Secret, KeyConfig] = {}
    for entry in values["keys"]:
        key: KeyConfig = made(KeySection, entry)
        if key.key:
            unique.setdefault(key.key, key)
    return tuple(unique.values())


def _pooling(values: Mapping[str, Any], keys: tuple[KeyConfig, ...]) -> PoolingConfig:
    return PoolingConfig(
        strategy=values["strategy"] or "least_loaded",
        enabled=len(keys) > 1 if values["enabled"] is None else values["enabled"],
    )


def _timeouts(values: Mapping[str, Any], server: ServerConfig) -> TimeoutsConfig:
    first_byte_ms, idle_ms = values["first_byte_ms"], values["idle_ms"]
    return TimeoutsConfig(
        connect_ms=values["connect_ms"],
        first_byte_ms=server.timeout_ms if first_byte_ms is None else first_byte_ms,
        idle_ms=server.timeout_ms if idle_ms is None else idle_ms,
    )
