"""What a good answer teaches the routing: how soon it came, where its session is, what it signed.

Each only where the configuration, or the request, makes use of it.
"""

from relay.exchange import sessions, signatures
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.exchange import Exchange
from relay.exchange.ordering import latency_name
from relay.exchange.sessions import Whereabouts
from relay.exchange.upstream import Upstream
from relay.messages.usage import Usage
from relay.routing import latency
from relay.routing.family import CLAUDE
from relay.stream.watch import Watch

_LATENCY_S = 600.0


class Learning:
    """From one attempt's answer."""

    def __init__(self, exchange: Exchange, asked: Asked, account: Account) -> None:
        self._exchange = exchange
        self._asked = asked
        self._account = account
        self._store = exchange.means.lasting.store
        self._routing = exchange.means.config.routing

    def committed(self, sent_at: float) -> None:
        """Its first content has come; `sent_at` on the monotonic clock."""
        match self._routing.strategy:
            case "latency_based":
                took_s = self._exchange.means.lasting.clock.monotonic() - sent_at
                self._took(took_s)
            case "cache_affinity" if self._asked.session:
                lease = self._account.credential.lease
                where = Whereabouts(
                    self._account.upstream.name, lease.member.digest if lease else b""
                )
                ttl_s = self._routing.session_ttl_ms / 1000
                sessions.went(self._store, self._asked.session, where, ttl_s)

    def ended(self, watch: Watch, usage: Usage) -> None:
        """It is complete, or broke off. The client's next turn may come at once, to any worker."""
        upstream, thinking = self._account.upstream, watch.thinking
        if thinking:
            issuer = (upstream.name, upstream.family)
            signatures.remember(self._store, thinking, issuer, self._routing.signatures)
        if self._account.counts_tokens and self._asked.session:
            sessions.used(self._store, self._asked.session, usage)

    def _took(self, seconds: float) -> None:
        name = latency_name(self._account.upstream.name, self._account.model)
        (record,) = self._store.recall([name])
        changed = latency.updated(record, seconds, self._store.now())
        self._store.remember({name: changed}, _LATENCY_S)


def reads_text(upstream: Upstream) -> bool:
    """Whether its thinking blocks may have no signature, so that they are told by their text."""
    return upstream.family != CLAUDE
