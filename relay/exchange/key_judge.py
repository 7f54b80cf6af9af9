"""What an upstream's answer means for the key it was given to (behaviour 8.2, 9.4 to 9.6).

Called with every answer to a key of ours, those included that come after commit.
"""

import logging
from collections.abc import Sequence

from relay.breaker.classify import KeyFate
from relay.clock import rfc3339
from relay.exchange.means import Means
from relay.exchange.upstream import Upstream
from relay.keys.pool import Lease
from relay.keys.rest import exhausted_s, rest_s

log = logging.getLogger("relay.exchange")

Headers = Sequence[tuple[str, str]]


class KeyJudge:
    """Judges the key of one attempt."""

    def __init__(self, means: Means, upstream: Upstream, lease: Lease) -> None:
        self._means = means
        self._upstream = upstream
        self._lease = lease

    def learn(self, headers: Headers) -> None:
        """A key whose last permitted request this was rests until its reset."""
        seconds = exhausted_s(
            headers,
            now_wall=self._means.lasting.clock.wall(),
            max_s=self._means.config.health.cooldown.max_ms / 1000,
        )
        if seconds > 0:
            self._upstream.pool.rest(self._lease.position, seconds)

    def worked(self) -> None:
        """A request with the key succeeded."""
        if self._upstream.pool.restore(self._lease.position):
            fields = {"provider": self._upstream.name, "key": self._lease.id}
            log.info("key is back", extra={"fields": fields})

    def failed(self, fate: KeyFate, headers: Headers = ()) -> None:
        """The upstream refused or throttled it, as `fate` says."""
        pool, health = self._upstream.pool, self._means.config.health
        if fate is KeyFate.RESTS:
            seconds = rest_s(
                headers,
                now_wall=self._means.lasting.clock.wall(),
                default_s=health.cooldown.default_ms / 1000,
                max_s=health.cooldown.max_ms / 1000,
            )
            pool.rest(self._lease.position, seconds)
            log.warning("key rests", extra=self._until(seconds))
        elif fate is KeyFate.SET_ASIDE:
            seconds = health.key_disabled_ms / 1000
            pool.set_aside(self._lease.position, seconds)
            log.error("key set aside: the provider refused it", extra=self._until(seconds))

    def _until(self, seconds: float) -> dict[str, dict[str, str]]:
        until = rfc3339(self._means.lasting.clock.wall() + seconds)
        return {"fields": {"provider": self._upstream.name, "key": self._lease.id, "until": until}}
