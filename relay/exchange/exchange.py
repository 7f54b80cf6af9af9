"""One client request on its way: what is asked, by whom, and with what it is served."""

from dataclasses import dataclass

from relay.clients.authenticate import Client
from relay.exchange.inbound import Inbound
from relay.exchange.means import Means
from relay.exchange.settle import Settlement
from relay.stream.disconnect import Presence
from relay.stream.pump import Outlet


@dataclass(frozen=True, slots=True)
class Exchange:
    """Handed from step to step; nothing of one exchange can reach another."""

    inbound: Inbound
    client: Client
    means: Means
    """Those of the configuration it began with, whatever is loaded meanwhile."""
    settlement: Settlement
    presence: Presence
    model: str
    """The client's model name after `anthropic/` was read away (behaviour 6.2, step 1)."""
    outlet: Outlet | None = None
    """Where the pump may write; None where the server's own writing is the only way."""
