"""Other paths of `/v1/`: batches, files, whatever comes; relayed as they are (behaviour 4.1).

They belong to the first healthy `anthropic` provider; another key of it may be asked, but no other
provider.
"""

from relay.breaker.transitions import State
from relay.errors import AllUnhealthy, Forbidden, NotFound
from relay.exchange.exchange import Exchange
from relay.exchange.failover import Failover
from relay.exchange.reply import Reply
from relay.exchange.route import Route
from relay.exchange.standing import Standing


def serve(exchange: Exchange) -> Reply:
    """The provider's answer, streamed unchanged.

    Raises: `NotFound` without an `anthropic` provider, else as `failover.serve`.
    """
    candidates = [u for u in exchange.means.upstreams if u.config.type == "anthropic"]
    if not candidates:
        raise NotFound(f"{exchange.inbound.path} needs a provider of type anthropic")
    usable = [upstream for upstream in candidates if upstream.serves(exchange.client)]
    if not usable:
        raise Forbidden("this client may use none of the configured providers")
    standing = Standing(exchange.means)
    healthy = [u for u in usable if standing.state(u) is not State.OPEN]
    if not healthy:
        raise AllUnhealthy(min(standing.opens_s(upstream) for upstream in usable))
    return Failover(exchange, Route(order=healthy[:1], model=exchange.model)).run()
