"""The signature family of a provider: who accepts whose thinking signatures (behaviour 11.2)."""

from typing import Final
from urllib.parse import urlsplit

from relay.config.model import ProviderConfig

CLAUDE: Final = "claude"
"""The family of Anthropic's own models, wherever they are rented."""

_ALWAYS: Final = frozenset({"bedrock", "vertex"})
_ANTHROPIC_HOST: Final = "api.anthropic.com"
# What azure's own base URLs end in; any other is a gateway that somebody put before it.
_AZURE_HOSTS: Final = ".services.ai.azure.com"


def family(provider: ProviderConfig) -> str:
    """`signature_family` if the file sets it; `claude` where Claude answers; else its own name."""
    if provider.signature_family:
        return provider.signature_family
    host = (urlsplit(provider.base_url.reveal()).hostname or "").rstrip(".")
    match provider.type:
        case type_ if type_ in _ALWAYS:
            claude = True
        case "anthropic":
            claude = host == _ANTHROPIC_HOST
        case "azure":
            claude = not host or host.endswith(_AZURE_HOSTS)
        case _:
            claude = False
    return CLAUDE if claude else provider.name
