"""Expecting: what to reserve of a key's minute for one exchange (behaviour 9.3)."""

from relay.exchange import sessions
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import COUNT_TOKENS, MESSAGES
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.limits.kinds import A_REQUEST, Amounts
from relay.routing.rename import renamed


def expected(
    exchange: Exchange, asked: Asked, upstream: Upstream, standing: Standing, model: str
) -> Amounts:
    """One request, and where the upstream's keys have limits on tokens, how many there may be."""
    path = exchange.inbound.path
    has_tokens = path in (MESSAGES, COUNT_TOKENS)
    if not (has_tokens and upstream.pool.counts_tokens(standing.keys(upstream))):
        return A_REQUEST
    if path == COUNT_TOKENS:
        return Amounts.of(asked.input_tokens, 0)
    lasting = exchange.means.lasting
    share = sessions.last_share(lasting.store, asked.session) if asked.session else 0.0
    sent = renamed(model, upstream.config.model_mapping) if model else ""
    output = lasting.outputs.expected(upstream.name, sent, asked.max_tokens)
    taken = round(asked.input_tokens * (1 - share)) if share else asked.input_tokens
    return Amounts(1, taken, output, taken + output)
