"""`health:` — when a provider or a key is left alone, and for how long."""

import re
from typing import Any, Final

from marshmallow import ValidationError

from relay.config.error_rule import ErrorRuleConfig, ErrorRuleThenConfig, ErrorRuleWhenConfig
from relay.config.model import (
    CircuitBreakerConfig,
    CooldownConfig,
    HealthCheckConfig,
    HealthConfig,
)
from relay.config.schema.collections import Names, Part, Parts
from relay.config.schema.numbers import Millis, Whole
from relay.config.schema.section import Section
from relay.config.schema.setting import JsonSchema, Setting, quoted
from relay.config.schema.words import Switch, Text, Word

_STATUS: Final = re.compile(r"[45](?:[0-9][0-9x]|xx)")
# Less would stand in nearly every message.
_LEAST_MESSAGE_CHARS: Final = 3


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


class Statuses(Setting[tuple[str, ...]]):
    """A list of error statuses; digits at the end may be `x`. Kept as they are written."""

    kind = "list of int"

    def read(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError(f"{quoted(value)} is not a list of statuses")
        faults: dict[Any, Any] = {
            index: [f"{quoted(item)} must be a status from 400 to 599, or like 5xx"]
            for index, item in enumerate(value)
            if isinstance(item, bool) or not _STATUS.fullmatch(str(item))
        }
        if faults:
            raise ValidationError(faults)
        return tuple(map(str, value))

    def bounds(self) -> str:
        return "not 400 to 599, nor like `5xx`"

    def json_schema(self) -> JsonSchema:
        written = {"type": "string", "pattern": rf"^{_STATUS.pattern}$"}
        number = {"type": "integer", "minimum": 400, "maximum": 599}
        return {"type": ["array", "null"], "items": {"anyOf": [number, written]}}


class Patterns(Names):
    """A list of words, each exact or, with a `*` at its end, how a word begins."""

    def read(self, value: Any) -> tuple[str, ...]:
        patterns = super().read(value)
        faults: dict[Any, Any] = {
            index: [f"{quoted(pattern)} may have a * at its end only"]
            for index, pattern in enumerate(patterns)
            if "*" in pattern[:-1]
        }
        if faults:
            raise ValidationError(faults)
        return patterns

    def bounds(self) -> str:
        return f"{super().bounds()}; a `*` elsewhere than at the end"


def _message_fault(text: str) -> str | None:
    if not text or len(text.strip()) >= _LEAST_MESSAGE_CHARS:
        return None
    return f"must have at least {_LEAST_MESSAGE_CHARS} characters"


class ErrorRuleWhenSection(Section):
    """Which errors the rule is for; everything that is given must hold."""

    fills = ErrorRuleWhenConfig
    statuses = Statuses(
        "the answer's status, like `400`, `5xx`, `52x`; an `error` event that comes before any "
        "content has the one its type stands for, else 502",
        default=(),
    )
    error_types = Patterns(
        "the error's `type`, like `invalid_request_error`; a trailing `*` allowed", default=()
    )
    message = Text(
        "what the error's message holds, in any case",
        default="",
        rule=_message_fault,
        refused="shorter than 3 characters",
    )
    providers = Patterns("names of providers; a trailing `*` allowed", default=())


class ErrorRuleThenSection(Section):
    """Whose matter such an error is, instead of what the relay would make of it."""

    fills = ErrorRuleThenConfig
    scope = Word(
        "`request`: the client gets that answer, nobody else is asked; `key`: the key rests or is "
        "set aside, another key is asked, then another provider (not for a client's own "
        "credential); `provider`: the circuit breaker counts a failure, another provider is asked; "
        "`ourselves`: nobody is blamed, another provider is asked",
        words=("request", "key", "provider", "ourselves"),
    )
    rest_ms = Millis(
        "`key`: how long it rests, whatever the answer's headers say; 0 = as after a 429",
        default=0,
        refused="with another scope, or with `set_aside`",
    )
    set_aside = Switch(
        "`key`: set it aside for `health.key_disabled_ms` instead, like one that is refused",
        default=False,
        refused="true with another scope",
    )


class ErrorRuleSection(Section):
    """What you know better of a provider's error than the relay; the first rule that fits holds."""

    fills = ErrorRuleConfig
    name = Text("what the rule is called in the log", refused="not unique")
    when = Part(ErrorRuleWhenSection)
    then = Part(ErrorRuleThenSection)


class HealthSection(Section):
    """When a provider or a key is left alone, and for how long."""

    fills = HealthConfig
    circuit_breaker = Part(CircuitBreakerSection)
    health_check = Part(HealthCheckSection)
    cooldown = Part(CooldownSection)
    key_disabled_ms = Millis(
        "how long a key that was refused (401, 402, 403) is set aside", default=1_800_000
    )
    error_rules = Parts(ErrorRuleSection)
