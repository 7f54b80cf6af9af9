"""What an upstream's answer means for the key it was given to (behaviour 8.2, 9.4 to 9.6).

Called with every answer to a key of ours, those included that come after commit.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from relay.breaker.classify import KeyFate, Verdict
from relay.clock import rfc3339
from relay.exchange.means import Means
from relay.exchange.upstream import Upstream
from relay.keys.lease import Lease
from relay.keys.rest import rest_s
from relay.keys.standing import Standing as KeysStanding
from relay.limits.learned import Learned

log = logging.getLogger("relay.exchange")

Headers = Sequence[tuple[str, str]]


class KeyJudge:
    """Judges the key of one attempt."""

    def __init__(
        self, means: Means, upstream: Upstream, lease: Lease, standing: KeysStanding, began: float
    ) -> None:
        """`began`: when the attempt did, on the monotonic clock."""
        self._means = means
        self._upstream = upstream
        self._lease = lease
        self._standing = standing
        self._began = began

    def learn(self, found: Learned) -> None:
        """Keep to the limits that an answer's headers tell of.

        A key whose last permitted request this was rests until its reset.
        """
        most_s = self._means.config.health.cooldown.max_ms / 1000
        pool, position = self._upstream.pool, self._lease.position
        # The answer may have taken minutes, and resets are told from its coming.
        passed_s = self._means.lasting.clock.monotonic() - self._began
        standing = replace(self._standing, now=self._standing.now + passed_s)
        pool.learn(position, found, standing, most_s)
        if found.exhausted_s:
            pool.rest(position, min(found.exhausted_s, most_s))

    def worked(self) -> None:
        """A request with the key succeeded."""
        if self._upstream.pool.restore(self._lease.position, self._standing):
            fields = {"provider": self._upstream.name, "key": self._lease.id}
            log.info("key is back", extra={"fields": fields})

    def rest_s(self, headers: Headers) -> float:
        """How long it rests after a 429 with these headers."""
        health = self._means.config.health
        return rest_s(
            headers,
            now_wall=self._means.lasting.clock.wall(),
            default_s=health.cooldown.default_ms / 1000,
            max_s=health.cooldown.max_ms / 1000,
        )

    def failed(self, verdict: Verdict, headers: Headers = ()) -> None:
        """The upstream refused or throttled it, as the verdict says."""
        pool, health = self._upstream.pool, self._means.config.health
        if verdict.key is KeyFate.RESTS:
            seconds = self.rest_s(headers) if verdict.rest_s is None else verdict.rest_s
            pool.rest(self._lease.position, seconds)
            log.warning("key rests", extra=self._until(seconds))
        elif verdict.key is KeyFate.SET_ASIDE:
            seconds = health.key_disabled_ms / 1000
            if pool.set_aside(self._lease.position, seconds):
                log.error("key set aside: the provider refused it", extra=self._until(seconds))

    def _until(self, seconds: float) -> dict[str, dict[str, str]]:
        until = rfc3339(self._means.lasting.clock.wall() + seconds)
        return {"fields": {"provider": self._upstream.name, "key": self._lease.id, "until": until}}
