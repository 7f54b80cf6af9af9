"""What an exchange works with: everything one configuration amounts to, read-only."""

from dataclasses import dataclass

from relay.breaker.rules import Rules
from relay.config.model import Config
from relay.exchange.lasting import Lasting
from relay.exchange.upstream import Upstream
from relay.observe.inspection import Inspection
from relay.routing.models import Catalogue
from relay.stream.gate import Gate


@dataclass(frozen=True, slots=True)
class Means:
    """Made by `relay.runtime`, one for each configuration; an exchange keeps its own to the end."""

    config: Config
    upstreams: tuple[Upstream, ...]
    """Enabled ones, in config order."""
    by_priority: tuple[Upstream, ...]
    """The same, in the order of `failover`."""
    record_names: tuple[str, ...]
    """The records of each upstream in the store: its breaker, its keys; one after the other."""
    rules: Rules
    """The operator's, on errors."""
    catalogue: Catalogue
    gate: Gate
    inspection: Inspection
    lasting: Lasting
