"""Whether what the store needs is installed."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final

from relay.config.findings import Findings
from relay.secret import Secret

_REDIS: Final = ("redis://", "rediss://")


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """`state.url`: Redis comes with an extra."""
    url = values.get("state", {}).get("url")
    if isinstance(url, Secret) and url.reveal().startswith(_REDIS) and find_spec("redis") is None:
        fault = "names a Redis, which needs an extra: pip install 'cc-relay[redis]'"
        findings.refuse(("state", "url"), fault)
