"""Share out attempts over the keys of one provider.

`KeyPool.lease` claims the next usable key for one attempt; the caller owes one `Lease.release`,
whatever happens in between:

    lease(exclude) ──► attempt ──► release
                          ├─ 429 ► rest        (the upstream's time, 9.5)
                          ├─ 401 ► set_aside   (tried again only when nothing else is left, 9.6)
                          └─ 2xx ► restore

What is known of a key stands in `KeyStates`, which outlives a reload: a key is the provider's
name and the key's own text, wherever it stands in the list. One process's knowledge: limits over
all workers, learned limits and the other strategies take the place of `_choose` and `KeyStates`
when the shared store comes. No method switches greenlets, so no lock is needed in a worker.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from relay.clock import Clock
from relay.config.model import KeyConfig, ProviderConfig
from relay.secret import Secret


@dataclass(frozen=True, slots=True)
class Resting:
    """No key is to be had. `wait_s`: until one may be; infinite where waiting changes nothing."""

    wait_s: float


class KeyState:
    """What is known of one key, in monotonic seconds of this process."""

    __slots__ = ("aside_until", "in_flight", "rests_until")

    def __init__(self) -> None:
        self.rests_until = -math.inf
        self.aside_until = -math.inf
        self.in_flight = 0


class KeyStates:
    """The keys of all providers, and whose turn it is. One for a process, kept over reloads."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, Secret], KeyState] = {}
        self._turns: dict[str, int] = {}

    def of(self, provider: str, key: Secret) -> KeyState:
        """The state of one key; a key never seen before is well."""
        return self._states.setdefault((provider, key), KeyState())

    def turn(self, provider: str) -> int:
        """A counter for each provider, from 0, one further with every call."""
        turn = self._turns.get(provider, 0)
        self._turns[provider] = turn + 1
        return turn


class Lease:
    """The claim of one attempt on one key. Made by `KeyPool.lease`."""

    __slots__ = ("_released", "_state", "id", "key", "position")

    def __init__(self, provider: str, position: int, key: KeyConfig, state: KeyState) -> None:
        self.position = position
        """Place in the configuration's list, from 0."""
        self.key = key
        self.id = f"{provider}/{position}"
        """What people may see of the key."""
        self._state = state
        self._released = False
        state.in_flight += 1

    def release(self) -> None:
        """Give the key back. Only the first call counts."""
        if not self._released:
            self._released = True
            self._state.in_flight -= 1

    def __repr__(self) -> str:
        return f"Lease({self.id}{', released' if self._released else ''})"


class KeyPool:
    """The keys of one provider, as one configuration lists them.

    An empty key is no key, two equal ones are one, and with `pooling.enabled: false` only the
    first counts. A pool may hold none at all: `total` is 0 and the provider goes without.
    """

    def __init__(self, config: ProviderConfig, *, states: KeyStates, clock: Clock) -> None:
        self._provider = config.name
        self._states = states
        self._clock = clock
        self._members = _members(config, states)

    @property
    def total(self) -> int:
        """How many keys there are."""
        return len(self._members)

    @property
    def available(self) -> int:
        """How many of them neither rest nor are set aside."""
        now = self._clock.monotonic()
        return sum(_is_usable(member.state, now) for member in self._members.values())

    @property
    def is_resting(self) -> bool:
        """Whether there are keys and each of them rests. One set aside may serve as last resort."""
        now = self._clock.monotonic()
        states = [member.state for member in self._members.values()]
        return bool(states) and all(state.rests_until > now for state in states)

    def lease(self, exclude: Collection[int] = (), *, last_resort: bool = False) -> Lease | Resting:
        """Claim the next usable key of the highest key priority, none of `exclude` (positions).

        `last_resort` takes a key that is set aside where no other is left, never one that rests.
        """
        now = self._clock.monotonic()
        free = [m for m in self._members.values() if m.position not in exclude]
        usable = [m for m in free if _is_usable(m.state, now)]
        if not usable and last_resort:
            usable = [m for m in free if m.state.rests_until <= now]
        if not usable:
            return Resting(self._wait_s(now))
        chosen = self._choose(usable)
        return Lease(self._provider, chosen.position, chosen.key, chosen.state)

    def rest(self, position: int, seconds: float) -> None:
        """Leave the key alone for so long. A longer rest already running stays."""
        state = self._members[position].state
        state.rests_until = max(state.rests_until, self._clock.monotonic() + seconds)

    def set_aside(self, position: int, seconds: float) -> None:
        """The upstream refused the key: only a last resort for so long."""
        state = self._members[position].state
        state.aside_until = max(state.aside_until, self._clock.monotonic() + seconds)

    def restore(self, position: int) -> bool:
        """A request with the key succeeded: it is set aside no longer. Whether it had been."""
        state = self._members[position].state
        was_aside = state.aside_until > self._clock.monotonic()
        state.aside_until = -math.inf
        return was_aside

    def _choose(self, usable: Sequence["_Member"]) -> "_Member":
        """Round robin over the keys of the highest priority: the next usable one from the turn."""
        highest = max(member.key.priority for member in usable)
        peers = [m.position for m in self._members.values() if m.key.priority == highest]
        turn = self._states.turn(self._provider) % len(peers)
        ready = {m.position: m for m in usable if m.key.priority == highest}
        return next(ready[p] for p in peers[turn:] + peers[:turn] if p in ready)

    def _wait_s(self, now: float) -> float:
        """Until the first key that rests or is set aside comes back."""
        backs = (max(m.state.rests_until, m.state.aside_until) for m in self._members.values())
        return min((back - now for back in backs if back > now), default=math.inf)

    def __repr__(self) -> str:
        return f"KeyPool({self._provider}: {self.available} of {self.total} available)"


@dataclass(frozen=True, slots=True)
class _Member:
    position: int
    key: KeyConfig
    state: KeyState


def _members(config: ProviderConfig, states: KeyStates) -> dict[int, _Member]:
    members: dict[Secret, _Member] = {}
    for position, key in enumerate(config.keys):
        if key.key and key.key not in members:
            members[key.key] = _Member(position, key, states.of(config.name, key.key))
    kept = list(members.values())
    return {m.position: m for m in (kept if config.pooling.enabled else kept[:1])}


def _is_usable(state: KeyState, now: float) -> bool:
    return state.rests_until <= now and state.aside_until <= now
