"""Standing: what the store says of the upstreams when an exchange begins, read in one step.

It is read again before each further attempt: seconds may have passed.
"""

from relay.breaker.transitions import State
from relay.breaker.transitions import standing as breaker_standing
from relay.exchange.means import Means
from relay.exchange.upstream import Upstream
from relay.keys.standing import Standing as KeysStanding


class Standing:
    """Breakers and keys of all upstreams, at one moment of the store."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._config = means.config.health.circuit_breaker
        self.look()

    def look(self) -> None:
        """Read it anew."""
        self.now, self._records = self._means.lasting.store.look(self._means.record_names)
        """`now`: Unix seconds of the store."""
        self._keys: dict[int, KeysStanding] = {}

    def breaker(self, upstream: Upstream) -> bytes | None:
        """The record of its breaker."""
        return self._records[2 * upstream.position]

    def state(self, upstream: Upstream) -> State:
        """Closed, open or half-open, now."""
        record = self.breaker(upstream)
        if record is None:
            return State.CLOSED
        return breaker_standing(record, self.now, self._config).state

    def has_room(self, upstream: Upstream) -> bool:
        """Whether its breaker lets anybody through; asks the store where it is half-open."""
        breakers = self._means.lasting.breakers
        return breakers.has_room(upstream.name, self.breaker(upstream), self.now, self._config)

    def opens_s(self, upstream: Upstream) -> float:
        """Seconds until an open one turns half-open."""
        record = self.breaker(upstream)
        if record is None:
            return 0.0
        return max(breaker_standing(record, self.now, self._config).until - self.now, 0.0)

    def keys(self, upstream: Upstream) -> KeysStanding:
        """What is known of its keys."""
        found = self._keys.get(upstream.position)
        if found is None:
            record = self._records[2 * upstream.position + 1]
            found = self._keys[upstream.position] = KeysStanding.of_record(record, self.now)
        return found
