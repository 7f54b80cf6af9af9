"""Other paths of `/v1/`: batches, files, whatever comes; relayed as they are (behaviour 4.1).

They belong to the first enabled `anthropic` provider; another key of it may be asked, but no other
provider.
"""

from relay.errors import Forbidden, NotFound
from relay.exchange.exchange import Exchange
from relay.exchange.failover import Failover
from relay.exchange.reply import Reply


def serve(exchange: Exchange) -> Reply:
    """The provider's answer, streamed unchanged.

    Raises: `NotFound` without an `anthropic` provider, else as `failover.serve`.
    """
    candidates = [u for u in exchange.means.upstreams if u.config.type == "anthropic"]
    if not candidates:
        raise NotFound(f"{exchange.inbound.path} needs a provider of type anthropic")
    for upstream in candidates:
        if upstream.serves(exchange.client):
            return Failover(exchange, [upstream]).run()
    raise Forbidden("this client may use none of the configured providers")
