"""Which credential an attempt shows: the client's own, or a key of ours (behaviour 5.2).

The table is applied anew for every upstream of a route, with one memory: a credential of the
client's goes to one host and to no other, so after failover to somebody else it is a key of ours,
or nothing.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from relay.exchange.exchange import Exchange
from relay.exchange.outbound import Credential
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.lease import Resting
from relay.limits.kinds import Amounts


class Credentials:
    """Hands out the credentials of one exchange, each key of an upstream at most once."""

    def __init__(self, exchange: Exchange) -> None:
        self._client = exchange.client
        self._tried: dict[str, set[int]] = {}
        self._shown_to = ""

    def tries(self, upstream: Upstream) -> int:
        """How often this upstream has been given one."""
        return len(self._tried.get(upstream.name, ()))

    def take(
        self,
        upstream: Upstream,
        standing: Standing,
        amounts: Callable[[], Amounts],
        *,
        preferred: bytes = b"",
        last_resort: bool,
    ) -> Credential | Resting | None:
        """What to show this upstream, `Resting` while its keys rest, None when there is no more."""
        own = upstream.passes(self._client)
        if own and self._shown_to not in ("", _host(upstream)):  # it is another's
            if upstream.config.auth == "passthrough" or not upstream.pool.total:
                return None
        elif own is not None or not upstream.pool.total:
            return self._without_key(upstream, own or {})
        if not self._client.may_use_keys:
            return None
        tried = self._tried.setdefault(upstream.name, set())
        lease = upstream.pool.lease(
            standing.keys(upstream),
            amounts(),
            exclude=tried,
            preferred=preferred,
            last_resort=last_resort,
        )
        if isinstance(lease, Resting):
            return lease
        tried.add(lease.position)
        return Credential(lease)

    def _without_key(self, upstream: Upstream, own: Mapping[str, str]) -> Credential | None:
        tried = self._tried.setdefault(upstream.name, set())
        if tried:
            return None
        tried.add(-1)
        if own:
            self._shown_to = _host(upstream)
        return Credential(None, own)


def _host(upstream: Upstream) -> str:
    return urlsplit(upstream.base_url).netloc
