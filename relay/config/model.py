"""The configuration as it is used: frozen values, complete, already checked.

Field names are the keys of the file; `relay.config.schema` holds default, bound and description
of each. Milliseconds stay milliseconds (`_ms`), as in the file. Settings are described in
`docs/configuration.md`, which is generated from the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relay.config.error_rule import ErrorRuleConfig
from relay.config.scenario import ScenarioConfig
from relay.secret import Secret


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Who may use the relay."""

    api_key: Secret
    """`server.auth.api_key`, or `server.api_key` where that is empty; empty = not configured."""
    bearer_secret: Secret
    allow_bearer: bool
    """True if `allow_bearer` or `allow_subscription` is set."""
    any_bearer_uses_keys: bool
    """`auto` is resolved at load: true on a loopback address."""
    allow_anonymous: bool = False
    """Whether a non-loopback address may be served with nothing that authenticates clients."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where the relay listens, and how long it waits."""

    listen: str
    auth: AuthConfig
    workers: int
    timeout_ms: int
    max_concurrent: int
    max_body_bytes: int
    body_timeout_ms: int
    write_timeout_ms: int
    ping_interval_ms: int
    stream_failure: Literal["auto", "cut", "event"]
    drain_ms: int


@dataclass(frozen=True, slots=True)
class RetryBudgetConfig:
    """How many attempts beyond the first the relay allows itself."""

    ratio: float
    reserve: int


@dataclass(frozen=True, slots=True)
class GateConfig:
    """How long a stream is held back until it shows that it works."""

    first_event_ms: int
    content_ms: int


@dataclass(frozen=True, slots=True)
class SignaturesConfig:
    """The memory of who issued a thinking block."""

    ttl_ms: int
    max_entries: int


@dataclass(frozen=True, slots=True)
class RoutingConfig:
    """Which provider takes a request, and how often it is tried."""

    strategy: str
    model_mapping: Mapping[str, str]
    default_provider: str
    failover_timeout: int
    """Milliseconds."""
    max_attempts: int
    retry_budget: RetryBudgetConfig
    retry_ambiguous: bool
    hedge_after_ms: int
    queue_ms: int
    queue_size: int
    gate: GateConfig
    session_ttl_ms: int
    signatures: SignaturesConfig
    debug: bool


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """One credential of a provider; `key` is never empty."""

    key: Secret
    rpm_limit: int
    itpm_limit: int
    otpm_limit: int
    tpm_limit: int
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class PoolingConfig:
    """How requests are shared out over the keys of a provider."""

    strategy: Literal["least_loaded", "round_robin", "random", "weighted"]
    enabled: bool
    """Resolved at load: true with more than one key unless the file says otherwise."""


@dataclass(frozen=True, slots=True)
class TimeoutsConfig:
    """How long one attempt may wait."""

    connect_ms: int
    first_byte_ms: int
    """Resolved at load: `server.timeout_ms` unless the file says otherwise."""
    idle_ms: int
    """Resolved at load, as `first_byte_ms`."""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One enabled entry of `providers:`. Disabled entries are checked and dropped at load."""

    name: str
    type: str
    base_url: Secret
    """Without trailing slash; the type's default where the file has none. A secret, because it
    may hold `user:password@`."""
    auth: Literal["auto", "passthrough", "configured"]
    models: tuple[str, ...]
    model_mapping: Mapping[str, str]
    priority: int
    weight: int
    keys: tuple[KeyConfig, ...]
    """In file order, without empty ones and without those given twice."""
    pooling: PoolingConfig
    timeouts: TimeoutsConfig
    proxy: Secret
    """Empty = none; `env` = from the environment; else a URL, perhaps with a password."""
    ca_file: str
    """Absolute, resolved at load from the file's folder; empty = the system's."""
    signature_family: str = ""
    """Empty = by type and address (`relay.routing.family`)."""


@dataclass(frozen=True, slots=True)
class CooldownConfig:
    """How long a throttled key rests."""

    default_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class CircuitBreakerConfig:
    """When a failing provider is left alone."""

    failure_threshold: int
    open_duration_ms: int
    half_open_probes: int


@dataclass(frozen=True, slots=True)
class HealthCheckConfig:
    """Probes of providers whose circuit is open."""

    enabled: bool
    interval_ms: int


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """When a provider or a key is left alone, and for how long."""

    circuit_breaker: CircuitBreakerConfig
    health_check: HealthCheckConfig
    cooldown: CooldownConfig
    key_disabled_ms: int
    error_rules: tuple[ErrorRuleConfig, ...] = ()
    """In file order; the first that fits holds."""


@dataclass(frozen=True, slots=True)
class DebugOptionsConfig:
    """What is logged beyond one line an exchange."""

    log_request_body: bool
    log_response_headers: bool
    log_tls_metrics: bool
    max_body_log_size: int


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """What is written, how, and where."""

    level: Literal["debug", "info", "warn", "error"]
    format: Literal["", "json", "console"]
    """"" = console on a terminal, else JSON; `text` and `pretty` are read as `console`."""
    output: str
    """`stdout`, `stderr`, or an absolute path, resolved at load from the file's folder."""
    debug_options: DebugOptionsConfig


@dataclass(frozen=True, slots=True)
class StateConfig:
    """Where the relay keeps what must survive a restart."""

    dir: Path
    """Absolute, resolved at load (contract, *Where things lie*); not made by loading."""
    url: Secret
    """A secret, because a `redis://` URL may hold a password."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything one configuration file says, defaults filled in."""

    server: ServerConfig
    routing: RoutingConfig
    providers: tuple[ProviderConfig, ...]
    """The enabled ones, in file order; never empty."""
    health: HealthConfig
    logging: LoggingConfig
    state: StateConfig
    scenarios: tuple[ScenarioConfig, ...]
    """In file order; the first that matches wins."""
    path: Path
    """The file it came from."""
    warnings: tuple[str, ...]
    """What the loader wants said once: `PATH: text`."""
