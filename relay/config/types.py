"""The provider types as data: where each answers, whose it is, and what it lists by default.

The hooks of a type are in `relay.providers`; this table is what a configuration needs to know
without them. Model ids are data and are checked with every release (behaviour 6.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ProviderType:
    """What is true of every provider of one type."""

    base_url: str
    owner: str
    """`owned_by` in model lists, `type` in `/v1/providers`."""
    models: tuple[str, ...]
    needs_key: bool
    """At least one key, and none empty."""
    passes_own_credentials: bool
    """`auth: auto` passes a client's own credential through (behaviour 5.2)."""


TYPES: Final[Mapping[str, ProviderType]] = {
    "anthropic": ProviderType(
        base_url="https://api.anthropic.com",
        owner="anthropic",
        models=(
            "claude-opus-5-5",
            "claude-sonnet-5-5",
            "claude-haiku-5-5",
            "claude-sonnet-4-5",
        ),
        needs_key=False,
        passes_own_credentials=True,
    ),
    "zai": ProviderType(
        base_url="https://api.z.ai/api/anthropic",
        owner="zhipu",
        models=("GLM-5", "GLM-4.7", "GLM-4.5-Air"),
        needs_key=True,
        passes_own_credentials=False,
    ),
}

LATER_TYPES: Final = ("minimax", "ollama", "bedrock", "azure", "vertex", "openai")
"""Types the contract names that this version does not serve; a config that enables one is
refused with that reason."""
