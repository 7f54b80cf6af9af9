"""The `X-CC-Relay-*` response headers, where `routing.debug` asks for them (behaviour 4.7)."""

from typing import Final
from urllib.parse import quote

from relay.exchange.account import Account
from relay.exchange.exchange import Exchange

# A client names the model as it likes; what no header can carry is percent-encoded.
_SENDABLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


def debug_headers(exchange: Exchange, account: Account) -> list[tuple[str, str]]:
    """Who answered, and how it came to that. Key headers only for keys of a pool."""
    settlement, upstream = exchange.settlement, account.upstream
    headers = [
        ("X-CC-Relay-Provider", upstream.name),
        ("X-CC-Relay-Strategy", exchange.means.config.routing.strategy),
        ("X-CC-Relay-Health", account.standing.state(upstream).value),
        ("X-CC-Relay-Attempts", str(settlement.attempts)),
    ]
    if settlement.model_sent:
        headers.append(("X-CC-Relay-Model", quote(settlement.model_sent, safe=_SENDABLE)))
    lease = account.credential.lease
    if lease is not None and upstream.is_pooled:
        available = upstream.pool.available(account.standing.keys(upstream))
        headers += [
            ("X-CC-Relay-Key-ID", lease.id),
            ("X-CC-Relay-Keys-Total", str(upstream.pool.total)),
            ("X-CC-Relay-Keys-Available", str(available)),
        ]
    if settlement.by_affinity:
        headers.append(("X-CC-Relay-Thinking-Affinity", "true"))
    return headers
