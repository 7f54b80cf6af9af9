"""A scenario: one rule of `scenarios:`, as it is used. A part of `relay.config.model`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class WhenConfig:
    """The conditions of a rule; those that are not given are empty or None."""

    models: tuple[str, ...] = ()
    """Patterns, as those of `headers`."""
    agent: Literal["", "main", "sub"] = ""
    thinking: bool | None = None
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None
    tools: tuple[str, ...] = ()
    """Prefixes of tool types."""
    images: bool | None = None
    client: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Name in lower case → pattern of its value."""


@dataclass(frozen=True, slots=True)
class UseConfig:
    """What a rule does: at least one of the two."""

    providers: tuple[str, ...] = ()
    """Names, of which some may be no enabled provider."""
    model: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioConfig:
    """One rule that sends some requests elsewhere."""

    name: str
    when: WhenConfig
    use: UseConfig
