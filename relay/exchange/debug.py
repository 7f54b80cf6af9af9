"""The `X-CC-Relay-*` response headers, where `routing.debug` asks for them (behaviour 4.7)."""

from typing import Final
from urllib.parse import quote

from relay.exchange.exchange import Exchange
from relay.exchange.outbound import Credential
from relay.exchange.upstream import Upstream

# A client names the model as it likes; what no header can carry is percent-encoded.
_SENDABLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


def debug_headers(
    exchange: Exchange, upstream: Upstream, credential: Credential
) -> list[tuple[str, str]]:
    """Who answered, and how it came to that. Key headers only for keys of a pool."""
    settlement = exchange.settlement
    headers = [
        ("X-CC-Relay-Provider", upstream.name),
        ("X-CC-Relay-Strategy", exchange.means.config.routing.strategy),
        ("X-CC-Relay-Health", "closed"),
        ("X-CC-Relay-Attempts", str(settlement.attempts)),
    ]
    if settlement.model_sent:
        headers.append(("X-CC-Relay-Model", quote(settlement.model_sent, safe=_SENDABLE)))
    if credential.lease is not None and upstream.is_pooled:
        headers += [
            ("X-CC-Relay-Key-ID", credential.lease.id),
            ("X-CC-Relay-Keys-Total", str(upstream.pool.total)),
            ("X-CC-Relay-Keys-Available", str(upstream.pool.available)),
        ]
    return headers
