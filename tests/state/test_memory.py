"""The memory store against a model of the protocol in plain Python."""

import struct
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from relay.state.memory import MemoryStore
from relay.state.store import Claim, Full, Taken
from tests.state.given import LONG_S, SetClock

START = 1_700_000_000.25
DAY_S = 86400.0


@dataclass
class Model:
    """What the protocol says, kept in full: nothing is summed up, dropped or packed."""

    counted: dict[str, list[list[int]]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    counters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    records: dict[str, bytes | None] = field(default_factory=dict)
    facts: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    def sum(self, name: str, second: int) -> int:
        """What `second` and the sixty before it hold."""
        return sum(amount for at, amount in self.counted[name] if second - 60 <= at <= second)

    def has_room(self, claims: Sequence[Claim], second: int) -> bool:
        sums = [(claim, self.sum(claim.name, second)) for claim in claims]
        return all(
            claim.limit == 0 or counted == 0 or counted + claim.amount <= claim.limit
            for claim, counted in sums
        )

    def take(self, choices: Sequence[Sequence[Claim]], second: int) -> tuple[int, list[list[int]]]:
        """The choice, and its entries to be settled; or the seconds to wait, and none."""
        for number, claims in enumerate(choices):
            if self.has_room(claims, second):
                entries = [[second, claim.amount] for claim in claims]
                for claim, entry in zip(claims, entries, strict=True):
                    self.counted[claim.name].append(entry)
                return number, entries
        later = range(1, 62)
        return next(
            wait_s
            for wait_s in later
            if any(self.has_room(claims, second + wait_s) for claims in choices)
        ), []

    def free(self, name: str, limit: int, now: float) -> bool:
        return sum(end > now for end in self.places[name].values()) < limit

    def recall(self, name: str, now: float) -> bytes | None:
        value, end = self.facts.get(name, (None, 0.0))
        return value if end > now else None


names = st.sampled_from(["a", "b", "c"])
amounts = st.integers(0, 9)
claims = st.builds(Claim, names, amounts, st.integers(0, 12))
choices = st.lists(
    st.lists(claims, max_size=3, unique_by=lambda claim: claim.name), min_size=1, max_size=3
)
values = st.sampled_from([b"", b"\0", b"x"])
ttls = st.sampled_from([0.0, 0.5, 3.0, 61.0, 2 * DAY_S])


class Machine(RuleBasedStateMachine):
    """Any steps in any order, while time passes in any pace and sometimes steps back."""

    taken = Bundle("taken")
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock(START)
        self.store = MemoryStore(self.clock)
        self.model = Model()
        self.time = self.store.now()  # the clock steps back from what was seen only
        self.given: dict[str, set[str]] = defaultdict(set)

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 2.75, 17.0, 59.0, 60.0, 61.0, 200.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.later(seconds)
        self.time += seconds
        assert self.store.now() == self.time

    @rule(seconds=st.sampled_from([0.5, 60.0, DAY_S]))
    def step_back(self, seconds: float) -> None:
        self.clock.set_back(seconds)
        assert self.store.now() == self.time

    @rule(target=taken, choices=choices)
    def take(self, choices: list[list[Claim]]) -> object:
        found = self.store.take(choices)

        expected, entries = self.model.take(choices, int(self.time))
        if isinstance(found, Full):
            assert (found.wait_s, []) == (expected, entries)
            return multiple()
        assert found == Taken(expected, tuple(choices[expected]), int(self.time))
        return found, entries

    @rule(taken=consumes(taken), data=st.data())
    def settle(self, taken: tuple[Taken, list[list[int]]], data: st.DataObject) -> None:
        of_store, entries = taken
        for entry in entries:
            entry[1] = data.draw(amounts)

        self.store.settle(of_store, [amount for _, amount in entries])

    @rule(target=tokens, name=names, limit=st.integers(0, 3), ttl_s=ttls)
    def hold(self, name: str, limit: int, ttl_s: float) -> object:
        token = self.store.hold(name, limit, ttl_s)

        assert (token is not None) == self.model.free(name, limit, self.time)
        if token is None:
            return multiple()
        assert token not in self.given[name]
        self.given[name].add(token)
        self.model.places[name][token] = self.time + ttl_s
        return token

    @rule(name=names, token=tokens)
    def let_go(self, name: str, token: str) -> None:
        self.store.let_go(name, token)

        self.model.places[name].pop(token, None)

    @rule(name=names, step=st.integers(-3, 3))
    def count(self, name: str, step: int) -> None:
        assert self.store.count(name, step) == self.model.counters[name]

        self.model.counters[name] += step

    @rule(name=names, old=st.none() | values, new=st.none() | values)
    def swap(self, name: str, old: bytes | None, new: bytes | None) -> None:
        found = self.store.swap(name, old, new)

        if self.model.records.get(name) == old:
            self.model.records[name] = new
        assert found == self.model.records.get(name)

    @rule(facts=st.dictionaries(names, values), ttl_s=ttls)
    def remember(self, facts: dict[str, bytes], ttl_s: float) -> None:
        self.store.remember(facts, ttl_s)

        self.model.facts |= {name: (value, self.time + ttl_s) for name, value in facts.items()}

    @rule(names=st.lists(names, max_size=4))
    def recall(self, names: list[str]) -> None:
        assert self.store.recall(names) == [self.model.recall(name, self.time) for name in names]


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnySteps = Machine.TestCase


def test_a_transaction_that_fails_changes_nothing() -> None:
    store = MemoryStore()
    store.remember({"kept": b"1", "removed": b"1"}, LONG_S)

    def fail_half_way() -> None:
        with store.begin(write=True) as table:
            table.put("f:kept", b"2", LONG_S)
            table.put("f:kept", b"3", LONG_S)
            table.put("f:new", b"2", LONG_S)
            table.remove("f:removed")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()

    assert store.recall(["kept", "new", "removed"]) == [b"1", None, b"1"]


def test_a_step_that_fails_half_way_changes_nothing() -> None:
    store = MemoryStore()

    with pytest.raises(struct.error):
        store.take([[Claim("a", 1), Claim("b", 2**63)]])

    assert isinstance(store.take([[Claim("a", 2, 1)]]), Taken)  # it is empty


def test_a_store_that_starts_anew_gives_out_no_token_again() -> None:
    clock = SetClock(START)
    held = {MemoryStore(clock).hold("p", 1, LONG_S)}
    clock.later(0.001)

    assert MemoryStore(clock).hold("p", 1, LONG_S) not in held


def test_what_has_run_out_is_dropped_and_the_rest_is_kept() -> None:
    clock = SetClock(START)
    store = MemoryStore(clock)
    value = bytes(1000)
    store.remember({f"kept{number}": value for number in range(10)}, DAY_S)

    tracemalloc.start()
    try:
        for round_ in range(20):
            store.remember({f"{round_}.{number}": bytes(1000) for number in range(500)}, 1.0)
            clock.later(1.0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 5_000_000  # of more than ten
    assert store.recall([f"kept{number}" for number in range(10)]) == [value] * 10


def test_the_machines_clock_is_the_one_it_has_by_itself() -> None:
    assert abs(MemoryStore().now() - time.time()) < 5
