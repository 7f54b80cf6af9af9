"""Breakers: the circuit breaker of each provider, shared by all workers over the store.

    look ──► admit ──► Permit ──► attempt, stream ──► success | failure | neutral
               │                                          look, compare and set
               └─ half-open: a place, of as many as there are probes

`transitions` has the rules. Here they meet the store: a record by a provider's name, changed by
compare and set until nobody has come between; places for the probes of one half-open phase, which
run out when their holder is gone, so that a lost probe is never waited for.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from relay.breaker.transitions import (
    MARK_BYTES,
    Outcome,
    Signal,
    Standing,
    State,
    Unchanged,
    after,
    caught_up,
    standing,
)
from relay.config.model import CircuitBreakerConfig
from relay.state.store import Store

log = logging.getLogger("relay.breaker")

PLACE_S: Final = 45.0
"""How long a probe's place stays without `Permit.renew`."""

# Each time somebody else has changed the record first. A row of failures that is lost after so
# many has been counted by others.
_TRIES: Final = 64


class Permit:
    """Leave to ask a provider once. Ends in exactly one of three ways; the first counts.

    Each of them may raise `StoreAway`, and gives the place back as far as the store lets it.
    """

    __slots__ = ("_breakers", "_config", "_ended", "_epoch", "place", "provider")

    def __init__(
        self,
        breakers: "Breakers",
        provider: str,
        config: CircuitBreakerConfig,
        *,
        epoch: bytes = b"",
        place: tuple[str, str] | None = None,
    ) -> None:
        self.provider = provider
        self.place = place
        """Name and token, for `Store.renew`; None while the breaker is closed."""
        self._breakers = breakers
        self._config = config
        self._epoch = epoch
        self._ended = False

    @property
    def is_probe(self) -> bool:
        """Whether it was given while half-open."""
        return self.place is not None

    def success(self, records: Sequence[bytes | None] = ()) -> None:
        """The provider answered, and well for what it is asked here (behaviour 10.1).

        `records`: its record as somebody has just seen it; empty: nobody has.
        """
        if self.place is None and not self._ended:
            name = self._breakers.name(self.provider)
            seen = records or self._breakers.store.look((name,)).records
            self._ended = seen[0] is None  # there is nothing to forgive, as nearly always
        self._end(Signal.SUCCESS, "probes succeeded")

    def failure(self, reason: str) -> None:
        """It failed; `reason` is for the log."""
        self._end(Signal.FAILURE, reason)

    def neutral(self) -> None:
        """Nothing was learned about it."""
        self._end(None, "")

    def renew(self) -> None:
        """Keep the place for a while longer: for streams that outlast it."""
        if self.place is not None and not self._ended:
            self._breakers.store.renew({}, [self.place], PLACE_S)

    def _end(self, signal: Signal | None, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            if signal is not None:
                outcome = Outcome(signal, self._epoch)
                self._breakers.hear(self.provider, outcome, self._config, reason)
        finally:  # not before: the next probe would be let in while this one still counts
            if self.place is not None:
                self._breakers.store.let_go(*self.place)

    def __repr__(self) -> str:
        kind = "probe" if self.is_probe else "closed"
        return f"Permit({self.provider}, {kind}{', ended' if self._ended else ''})"


class Breakers:
    """All breakers of a relay. Holds nothing but the store; one for a process is enough."""

    def __init__(self, store: Store, *, draw: Callable[[int], bytes] = os.urandom) -> None:
        self.store = store
        self._draw = draw

    def name(self, provider: str) -> str:
        """The name of a provider's record, for `Store.look`."""
        return f"breaker/{provider}"

    def admit(
        self, provider: str, record: bytes | None, now: float, config: CircuitBreakerConfig
    ) -> Permit | None:
        """Leave to ask the provider, or None: it is open, or all places of its probes are taken.

        `record` and `now` are what `Store.look` said. Costs nothing while closed.
        """
        found = standing(record, now, config)
        match found.state:
            case State.CLOSED:
                return Permit(self, provider, config)
            case State.OPEN:
                return None
            case State.HALF_OPEN:
                return self._probe(provider, found, config)

    def has_room(
        self, provider: str, record: bytes | None, now: float, config: CircuitBreakerConfig
    ) -> bool:
        """Whether `admit` would let somebody in: nobody while open, nor, to all others than its
        probes, while half-open (behaviour 10.1).
        """
        found = standing(record, now, config)
        if found.state is not State.HALF_OPEN:
            return found.state is State.CLOSED
        return self.store.held(_places(provider, found)) < config.half_open_probes

    def probed(self, provider: str, config: CircuitBreakerConfig) -> None:
        """An active probe was good: an open breaker is half-open at once."""
        self.hear(provider, Outcome(Signal.PROBED), config, "active probe")

    def forget(self, provider: str) -> None:
        """The provider has left the configuration."""
        name = self.name(provider)
        record = self.store.look([name]).records[0]
        if record is not None:
            self.store.swap(name, record, None)  # what somebody writes meanwhile runs out

    def hear(
        self, provider: str, outcome: Outcome, config: CircuitBreakerConfig, reason: str
    ) -> None:
        """Change the record as the outcome says, after whatever others have made of it."""
        name = self.name(provider)
        now, (record,) = self.store.look([name])
        for _ in range(_TRIES):
            changed = after(record, outcome, now, config, mark=self._draw(MARK_BYTES))
            if isinstance(changed, Unchanged):
                return
            found = self.store.swap(name, record, changed)
            if found == changed:
                before, since = (standing(each, now, config).state for each in (record, changed))
                _say(provider, before, since, reason)
                return
            record = found

    def _probe(self, provider: str, seen: Standing, config: CircuitBreakerConfig) -> Permit | None:
        name = _places(provider, seen)
        token = self.store.hold(name, config.half_open_probes, PLACE_S)
        if token is None:
            return None
        permit = Permit(self, provider, config, epoch=seen.epoch, place=(name, token))
        try:
            found = self._caught_up(provider, config)
        except BaseException:  # a client that leaves, too: over a network a step can be broken off
            permit.neutral()
            raise
        if found.state is State.HALF_OPEN and found.epoch == seen.epoch:
            return permit
        # What the caller saw was old: the phase is over, and its places are worth nothing.
        permit.neutral()
        return Permit(self, provider, config) if found.state is State.CLOSED else None

    def _caught_up(self, provider: str, config: CircuitBreakerConfig) -> Standing:
        """How the record stands now. Whoever is the first to find it half-open writes that down."""
        name = self.name(provider)
        now, (record,) = self.store.look([name])
        changed = caught_up(record, now, config, mark=self._draw(MARK_BYTES))
        if isinstance(changed, Unchanged):
            return standing(record, now, config)
        found = self.store.swap(name, record, changed)
        if found == changed:
            _say(provider, State.OPEN, State.HALF_OPEN, "its time is over")
        return standing(found, now, config)


def _places(provider: str, seen: Standing) -> str:
    return f"probe/{provider}/{seen.epoch.hex()}"


_LEVELS: Final[Mapping[State, int]] = {
    State.CLOSED: logging.INFO,
    State.OPEN: logging.WARNING,
    State.HALF_OPEN: logging.INFO,
}


def _say(provider: str, before: State, since: State, reason: str) -> None:
    if before is not since:
        fields = {
            "provider": provider,
            "from": before.value,
            "to": since.value,
            "reason": reason,
        }
        log.log(_LEVELS[since], "breaker changed", extra={"fields": fields})
