"""Error rule: one entry of `health.error_rules`, as it is used. A part of `relay.config.model`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

RuleScope: TypeAlias = Literal["request", "key", "provider", "ourselves"]


@dataclass(frozen=True, slots=True)
class ErrorRuleWhenConfig:
    """Which errors a rule is for: everything that is given must hold; never all empty."""

    statuses: tuple[str, ...]
    """`529`, `52x`, `5xx`."""
    error_types: tuple[str, ...]
    """Words; one that ends in `*` stands for all that begin so."""
    message: str
    """What it holds, in any case."""
    providers: tuple[str, ...]
    """Names, as `error_types`."""


@dataclass(frozen=True, slots=True)
class ErrorRuleThenConfig:
    """Whose matter such an error is."""

    scope: RuleScope
    rest_ms: int
    """0 = as without the rule."""
    set_aside: bool


@dataclass(frozen=True, slots=True)
class ErrorRuleConfig:
    """What the operator knows of an error better than the relay."""

    name: str
    when: ErrorRuleWhenConfig
    then: ErrorRuleThenConfig
