"""`health:` — when a provider or a key is left alone, and for how long."""

from relay.config.model import (
    CircuitBreakerConfig,
    CooldownConfig,
    HealthCheckConfig,
    HealthConfig,
)
from relay.config.schema.collections import Part
from relay.config.schema.numbers import Millis, Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Switch


class CircuitBreakerSection(Section):
    """When a failing provider is left alone."""

    fills = CircuitBreakerConfig
    failure_threshold = Whole(
        "consecutive failures that open the circuit; 0 = the default", default=5, zero=5
    )
    open_duration_ms = Millis("time open; 0 = the default", default=30_000, zero=30_000)
    half_open_probes = Whole(
        "successes that close it, and how many requests may be in flight while half-open; "
        "0 = the default",
        default=3,
        zero=3,
    )


class HealthCheckSection(Section):
    """Probes of providers whose circuit is open."""

    fills = HealthCheckConfig
    enabled = Switch("active probes of open providers", default=True)
    interval_ms = Millis("time between two probes; 0 = the default", default=10_000, zero=10_000)


class CooldownSection(Section):
    """How long a throttled key rests."""

    fills = CooldownConfig
    default_ms = Millis("rest of a key after a 429 that names no time", default=60_000)
    max_ms = Millis("longest rest any upstream header can cause", default=3_600_000)


class HealthSection(Section):
    """When a provider or a key is left alone, and for how long."""

    fills = HealthConfig
    circuit_breaker = Part(CircuitBreakerSection)
    health_check = Part(HealthCheckSection)
    cooldown = Part(CooldownSection)
    key_disabled_ms = Millis(
        "how long a key that was refused (401, 402, 403) is set aside", default=1_800_000
    )
