"""What the protocol says, in plain Python: nothing is summed up, dropped or packed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.state.store import HELD_S, Bound, Claim, Load

Entries = list[list[int]]
"""Seconds and amounts. A claim's is changed when it is settled."""


@dataclass
class Bounded:
    """A bound, and what was claimed since."""

    bound: Bound
    second: int
    claimed: Entries = field(default_factory=list)

    def left(self) -> int:
        return self.bound.left - sum(amount for _, amount in self.claimed)


@dataclass
class Held:
    """What one process holds by one name."""

    count: int
    end: float


@dataclass
class Model:
    """All there is in a store. `now` is set by whoever lets time pass."""

    now: float
    counted: dict[str, Entries] = field(default_factory=lambda: defaultdict(list))
    bounds: dict[str, Bounded] = field(default_factory=dict)
    held: dict[str, dict[int, Held]] = field(default_factory=lambda: defaultdict(dict))
    taken_at: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    places: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    counters: dict[str, tuple[int, str]] = field(
        default_factory=lambda: defaultdict(lambda: (0, ""))
    )
    records: dict[str, bytes | None] = field(default_factory=dict)
    facts: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    @property
    def second(self) -> int:
        return int(self.now)

    def take(
        self, choices: Sequence[Sequence[Claim]], holder: int, *, by_room: bool
    ) -> tuple[float, Entries]:
        """The choice, and its entries to be settled; or the seconds to wait, and none."""
        waits = [max([0.0, *map(self.wait_s, claims)]) for claims in choices]
        fitting = [number for number, wait_s in enumerate(waits) if not wait_s]
        if not fitting:
            return min(waits), []
        if by_room:
            fitting.sort(key=lambda number: self.rank(choices[number]))
        return fitting[0], [self.claimed(claim, holder) for claim in choices[fitting[0]]]

    def claimed(self, claim: Claim, holder: int) -> list[int]:
        entry = [self.second, claim.amount]
        if claim.lasting:
            held = self.held[claim.name].setdefault(holder, Held(0, 0.0))
            before = held.count if held.end > self.now else 0
            self.held[claim.name][holder] = Held(before + claim.amount, self.now + HELD_S)
            self.taken_at[claim.name] = self.now
            return entry
        self.counted[claim.name].append(entry)
        if bounded := self.bounds.get(claim.name):
            is_settled_with_it = self.second > bounded.second
            bounded.claimed.append(entry if is_settled_with_it else list(entry))
        return entry

    def settle(self, claim: Claim, entry: list[int], amount: int, holder: int) -> None:
        if claim.lasting:
            held = self.held[claim.name].get(holder)
            if held and held.end > self.now:
                held.count = max(held.count + amount - claim.amount, 0)
        elif self.second - entry[0] <= 60:
            entry[1] = amount

    def wait_s(self, claim: Claim) -> float:
        if claim.lasting:
            counted = self.load(claim.name).held
            return float(claim.limit > 0 and counted + claim.amount > claim.limit)
        window_s = next(
            wait_s
            for wait_s in range(62)
            if claim.limit == 0
            or not self.sum(claim.name, wait_s)
            or self.sum(claim.name, wait_s) + claim.amount <= claim.limit
        )
        left = self.left(claim.name)
        is_larger = 0 < claim.limit < claim.amount
        if left is None or claim.amount <= left or (is_larger and left > 0):
            return window_s
        return max(window_s, self.bounds[claim.name].bound.until - self.now)

    def rank(self, claims: Sequence[Claim]) -> tuple[float, int, int]:
        shares = [1.0]
        for claim in claims:
            if claim.limit and not claim.lasting:
                left, room = self.left(claim.name), claim.limit - self.sum(claim.name)
                shares.append((room if left is None else min(room, left)) / claim.limit)
        lasting = sum(self.load(claim.name).held for claim in claims if claim.lasting)
        return -min(shares), lasting, self.count_of(claims[0]) if claims else 0

    def count_of(self, claim: Claim) -> int:
        return self.load(claim.name).held if claim.lasting else self.sum(claim.name)

    def sum(self, name: str, wait_s: int = 0) -> int:
        """What the second after the wait and the sixty before it hold."""
        last = self.second + wait_s
        return sum(amount for at, amount in self.counted[name] if last - 60 <= at <= last)

    def left(self, name: str) -> int | None:
        bounded = self.bounds.get(name)
        if bounded is None or bounded.bound.until <= self.now:
            return None
        return max(bounded.left(), 0)

    def bound(self, name: str, bound: Bound) -> None:
        before = self.left(name)
        if bound.until <= self.now:
            return
        if before is None or bound.until > self.bounds[name].bound.until or bound.left <= before:
            self.bounds[name] = Bounded(bound, self.second)

    def load(self, name: str) -> Load:
        held = sum(each.count for each in self.held[name].values() if each.end > self.now)
        return Load(held, self.taken_at[name])

    def renew(self, amounts: Mapping[str, int], holder: int, ttl_s: float) -> None:
        for name, amount in amounts.items():
            self.held[name][holder] = Held(amount, self.now + ttl_s)

    def renew_place(self, name: str, token: str, ttl_s: float) -> None:
        if self.places[name].get(token, 0.0) > self.now:
            self.places[name][token] = self.now + ttl_s

    def free(self, name: str, limit: int) -> bool:
        return sum(end > self.now for end in self.places[name].values()) < limit

    def count(self, name: str, step: int, within: str) -> int:
        number, inside = self.counters[name]
        before = number if inside == within else 0
        if step:
            self.counters[name] = before + step, within
        return before

    def recall(self, name: str) -> bytes | None:
        value, end = self.facts.get(name, (None, 0.0))
        return value if end > self.now else None
