"""The providers by type: a closed set, so a literal."""

from collections.abc import Mapping
from typing import Final

from relay.providers.anthropic import Anthropic
from relay.providers.provider import Provider
from relay.providers.zai import Zai

PROVIDERS: Final[Mapping[str, Provider]] = {
    provider.type: provider for provider in (Anthropic(), Zai())
}
