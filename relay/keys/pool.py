"""Share out attempts over the keys of one provider.

`KeyPool.lease` claims a usable key for one attempt; the caller owes one `Lease.settle`, whatever
happens in between:

    lease(known, …) ──► attempt ──► settle(what it used)
                          ├─ 429 ► rest        (the upstream's time, 9.5)
                          ├─ 401 ► set_aside   (tried again only when nothing else is left, 9.6)
                          ├─ 2xx ► restore
                          └─ any ► learn       (limits its headers tell of, 9.4)

A key is usable when it does not rest, is not set aside, and its limits have room. What is known of
the keys is one record of the store for each provider, and what they have used their windows there,
so all of it holds over workers and outlives a reload. Where one key is all there is and nobody
limits it, nothing is counted.
"""

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from relay.config.model import ProviderConfig
from relay.keys import known
from relay.keys.known import UNKNOWN, Known
from relay.keys.lease import Lease, Resting
from relay.keys.member import Member, members
from relay.keys.standing import KeyState, Standing
from relay.limits.kinds import A_REQUEST, UNKNOWN_LIMIT, Amounts, Kind
from relay.limits.learned import Learned
from relay.state.store import Bound, Claim, Full, Store

# Others change the same record only when their keys do; each try is one step of the store.
_TRIES: Final = 20
# Plain numbers: a member of an enumeration takes its time.
_REQUESTS: Final = int(Kind.REQUESTS)
_TOKENS: Final = (int(Kind.INPUT), int(Kind.OUTPUT), int(Kind.TOTAL))
_RANDOM: Final = random.SystemRandom()


class KeyPool:
    """The keys of one provider, as one configuration lists them.

    An empty key is no key, two equal ones are one, and with `pooling.enabled: false` only the
    first counts. A pool may hold none at all: `total` is 0 and the provider goes without.
    """

    def __init__(self, config: ProviderConfig, *, store: Store) -> None:
        self._provider = config.name
        self._strategy = config.pooling.strategy
        self._store = store
        self._all = members(config)
        self._members = {member.position: member for member in self._all}
        self._counts_in_flight = len(self._all) > 1 and self._strategy == "least_loaded"
        self._one_priority = len({member.key.priority for member in self._all}) <= 1
        self._limits_tokens = any(member.limits.of_tokens for member in self._all)
        self.record_name = f"keys/{config.name}"
        """Under which the store has what is known of them."""

    @property
    def total(self) -> int:
        """How many keys there are."""
        return len(self._members)

    def available(self, standing: Standing, amounts: Amounts = A_REQUEST) -> int:
        """How many of them are usable for a request of these amounts."""
        return sum(not each.wait_s for each in self.states(standing, amounts))

    def states(self, standing: Standing, amounts: Amounts) -> list[KeyState]:
        """How each key stands, in the order of the configuration. Nothing is claimed."""
        rooms = self._store.rooms([self._claims(standing, each, amounts) for each in self._all])
        return [
            KeyState(
                member.position,
                rests_s=max(standing.of(member).rests_until - standing.now, 0.0),
                aside_s=max(standing.of(member).aside_until - standing.now, 0.0),
                room_s=room.wait_s,
                used=(-member.key.priority, *room.used),
            )
            for member, room in zip(self._all, rooms, strict=True)
        ]

    def wait_s(self, standing: Standing) -> float:
        """Until one of them no longer rests: 0 now, or if there are none.

        One that is set aside may serve as a last resort.
        """
        rests = [standing.of(member).rests_until for member in self._all]
        return max(min(rests, default=0.0) - standing.now, 0.0)

    def counts_tokens(self, standing: Standing) -> bool:
        """Whether any of its keys has a limit on tokens: then a lease needs an estimate."""
        return self._limits_tokens or any(
            standing.of(member).limits.of_tokens for member in self._all if standing.keys
        )

    def peek(self, standing: Standing, amounts: Amounts) -> KeyState | None:
        """The key that `lease` would claim, as far as no lot is drawn; None: none is usable."""
        states = {each.position: each for each in self.states(standing, amounts)}
        usable = [member for member in self._all if not states[member.position].wait_s]
        if not usable:
            return None
        if self._strategy == "least_loaded":
            return min((states[member.position] for member in usable), key=lambda each: each.used)
        return states[next(self._in_order(usable, b"", step=0))[0].position]

    def lease(
        self,
        standing: Standing,
        amounts: Amounts,
        exclude: Collection[int] = (),
        *,
        preferred: bytes = b"",
        last_resort: bool = False,
    ) -> Lease | Resting:
        """Claim a usable key of the highest key priority that has one, none of `exclude`.

        `preferred`, by its digest, comes before all others where it is usable. `last_resort` takes
        a key that is set aside where no other is left, never one that rests.
        """
        free = [m for m in self._all if m.position not in exclude] if exclude else self._all
        usable = [m for m in free if standing.is_usable(m)] if standing.keys else free
        found = self._take(standing, usable, amounts, preferred)
        if isinstance(found, Lease) or not last_resort:
            return found
        aside = [m for m in free if standing.is_aside(m)]
        last = self._take(standing, aside, amounts, preferred)
        return last if isinstance(last, Lease) else Resting(min(found.wait_s, last.wait_s))

    def rest(self, position: int, seconds: float) -> None:
        """Leave the key alone for so long. A longer rest already running stays."""
        self._change(
            position,
            lambda each, now: replace(each, rests_until=max(each.rests_until, now + seconds)),
        )

    def set_aside(self, position: int, seconds: float) -> bool:
        """The upstream refused the key: only a last resort for so long. False: it was already."""
        before = self._change(
            position,
            lambda each, now: replace(each, aside_until=max(each.aside_until, now + seconds)),
        )
        return before.keys.get(self._members[position].digest, UNKNOWN).aside_until <= before.now

    def restore(self, position: int, standing: Standing) -> bool:
        """A request with the key succeeded: it is set aside no longer. Whether it had been."""
        if standing.of(self._members[position]).aside_until <= standing.now:
            return False
        self._change(position, lambda each, _: replace(each, aside_until=0.0))
        return True

    def learn(self, position: int, learned: Learned, standing: Standing, most_s: float) -> None:
        """Keep to what an answer to the key says. No reset is further away than `most_s`."""
        member = self._members[position]
        if any(learned.limits):
            was = standing.of(member).limits
            new = was.updated(learned.limits)
            if new != was:
                self._change(position, lambda each, _: replace(each, limits=new))
        if learned.left:
            self._store.bound(
                {
                    member.windows[kind]: Bound(
                        left.remaining, standing.now + min(left.ahead_s, most_s)
                    )
                    for kind, left in learned.left.items()
                }
            )

    def _take(
        self, standing: Standing, usable: Sequence[Member], amounts: Amounts, preferred: bytes
    ) -> Lease | Resting:
        if len(self._all) == 1 and usable and not any(standing.limits(usable[0])):
            return Lease(self._store, usable[0], self._provider)
        wait_s = self._rests_s(standing) if standing.keys else math.inf
        by_room = self._strategy == "least_loaded"
        for peers in self._in_order(usable, preferred):
            choices = [self._claims(standing, member, amounts) for member in peers]
            found = self._store.take(choices, by_room=by_room and len(choices) > 1)
            if not isinstance(found, Full):
                return Lease(self._store, peers[found.choice], self._provider, found)
            wait_s = min(wait_s, found.wait_s)
        return Resting(wait_s, is_taken=bool(usable))

    def _in_order(
        self, usable: Sequence[Member], preferred: bytes, *, step: int = 1
    ) -> Iterator[Sequence[Member]]:
        """Groups of keys: the highest priority first, each group as the strategy has it."""
        if len(usable) == 1:
            yield usable
            return
        wanted = preferred and [member for member in usable if member.digest == preferred]
        if wanted:
            yield wanted
        if self._one_priority and usable:
            yield self._ordered(usable, step)
            return
        groups: dict[int, list[Member]] = {}
        for member in usable:
            groups.setdefault(member.key.priority, []).append(member)
        for priority in sorted(groups, reverse=True):
            yield self._ordered(groups[priority], step)

    def _ordered(self, peers: Sequence[Member], step: int) -> Sequence[Member]:
        match self._strategy:
            case "round_robin":
                priority = peers[0].key.priority
                all_peers = [m.position for m in self._all if m.key.priority == priority]
                count = self._store.count(f"turn/{self._provider}/{priority}", step)
                turn = count % len(all_peers)
                ready = {m.position: m for m in peers}
                return [ready[p] for p in all_peers[turn:] + all_peers[:turn] if p in ready]
            case "random":
                return _RANDOM.sample(peers, len(peers))
            case "weighted":
                return sorted(peers, key=_drawn, reverse=True)
            case _:
                return peers

    def _claims(self, standing: Standing, member: Member, amounts: Amounts) -> list[Claim]:
        limits = standing.limits(member)
        claims = [Claim(member.windows[_REQUESTS], amounts.requests, limits.requests)]
        if limits.of_tokens:
            claims += [
                Claim(member.windows[kind], amounts[kind], limits[kind])
                for kind in _TOKENS
                if limits[kind]
            ]
        if UNKNOWN_LIMIT in limits:  # its bound alone says how much there is
            claims = [c._replace(limit=0) if c.limit == UNKNOWN_LIMIT else c for c in claims]
        if self._counts_in_flight:
            claims.append(Claim(member.in_flight, 1, lasting=True))
        return claims

    def _change(self, position: int, change: Callable[[Known, float], Known]) -> Standing:
        """Change what is known of a key, for all workers; what was known before."""
        digest = self._members[position].digest
        for _ in range(_TRIES):
            now, (record,) = self._store.look([self.record_name])
            before = Standing.of_record(record, now)
            changed = change(before.keys.get(digest, UNKNOWN), now)
            new = known.written({**before.keys, digest: changed}, now)
            if new == record or self._store.swap(self.record_name, record, new) == new:
                break
        return before

    def _rests_s(self, standing: Standing) -> float:
        """Until the first key that rests or is set aside comes back."""
        states = [standing.of(member) for member in self._all]
        backs = [max(state.rests_until, state.aside_until) for state in states]
        return min((back - standing.now for back in backs if back > standing.now), default=math.inf)

    def __repr__(self) -> str:
        return f"KeyPool({self._provider}: {self.total} keys)"


def _drawn(member: Member) -> float:
    """Sorted by this, keys come in an order that is random by weight (Efraimidis, Spirakis)."""
    drawn: float = _RANDOM.random() ** (1 / max(member.key.weight, 1))
    return drawn
