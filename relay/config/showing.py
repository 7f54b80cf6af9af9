"""The configuration in force, as plain values that may be shown to anybody.

Every default is filled in, every secret is `********`, a URL stands without its
`user:password@`. The result has the shape of the file, so `cc-relay config show` prints something
that can be compared with it.
"""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final

from relay.config.addresses import without_credentials
from relay.config.model import Config
from relay.secret import MASK, Secret

# Secrets only because of the credentials they may hold; the rest of them says where things go.
_URLS: Final = frozenset({"base_url", "proxy"})

# What describes the load and is no key of the file.
_NO_KEYS: Final = frozenset({"path", "warnings"})


def effective(config: Config) -> dict[str, object]:
    """The configuration as mappings, lists, strings and numbers, in the order of the file."""
    return {
        field.name: _shown(field.name, getattr(config, field.name))
        for field in fields(config)
        if field.name not in _NO_KEYS
    }


def _shown(name: str, value: object) -> object:
    if isinstance(value, Secret):
        return _masked(name, value)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value):
        return {item.name: _shown(item.name, getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [_shown(name, item) for item in value]
    return dict(value) if isinstance(value, dict) else value


def _masked(name: str, secret: Secret) -> str:
    if name in _URLS:
        return without_credentials(secret.reveal())
    if name == "url":
        scheme, slashes, rest = secret.reveal().partition("://")
        return f"{scheme}{slashes}{MASK if rest else ''}"  # passwords stand in queries, too
    return MASK if secret else ""
