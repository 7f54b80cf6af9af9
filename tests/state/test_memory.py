"""The memory store against a model of the protocol in plain Python."""

import struct
import time
import tracemalloc
from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from relay.state.holder import Holder
from relay.state.memory import MemoryStore
from relay.state.store import Bound, Claim, Full, Load, Looked, Taken
from tests.state.given import LONG_S, SetClock
from tests.state.model import Model

START = 1_700_000_000.25
DAY_S = 86400.0


names = st.sampled_from(["a", "b", "c"])
lasting_names = st.sampled_from(["x", "y"])
amounts = st.integers(0, 9)
claims = st.one_of(
    st.builds(Claim, names, amounts, st.integers(0, 12), st.just(value=False)),
    st.builds(Claim, lasting_names, st.integers(0, 2), st.integers(0, 4), st.just(value=True)),
)
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
        self.holders = [self.store.holder, Holder()]
        self.model = Model(self.store.now())  # the clock steps back from what was seen only
        self.given: dict[str, set[str]] = defaultdict(set)

    @rule(
        seconds=st.sampled_from([0.25, 0.5, 1.0, 2.75, 17.0, 44.75, 45.0, 59.0, 60.0, 61.0, 200.0])
    )
    def pass_time(self, seconds: float) -> None:
        self.clock.later(seconds)
        self.model.now += seconds
        assert self.store.now() == self.model.now

    @rule(seconds=st.sampled_from([0.5, 60.0, DAY_S]))
    def step_back(self, seconds: float) -> None:
        self.clock.set_back(seconds)
        assert self.store.now() == self.model.now

    @rule(number=st.integers(0, 1))
    def be_another_process(self, number: int) -> None:
        self.store.holder = self.holders[number]

    @rule(target=taken, choices=choices, by_room=st.booleans())
    def take(self, choices: list[list[Claim]], *, by_room: bool) -> object:
        found = self.store.take(choices, by_room=by_room)

        number = self.store.holder.number
        expected, entries = self.model.take(choices, number, by_room=by_room)
        if isinstance(found, Full):
            assert (found.wait_s, []) == (expected, entries)
            return multiple()
        claims = tuple(choices[found.choice])
        assert found == Taken(int(expected), claims, self.model.second)
        return found, entries

    @rule(taken=consumes(taken), data=st.data())
    def settle(self, taken: tuple[Taken, list[list[int]]], data: st.DataObject) -> None:
        of_store, entries = taken
        settled = [0 if claim.lasting else data.draw(amounts) for claim in of_store.claims]

        self.store.settle(of_store, settled)

        for claim, entry, amount in zip(of_store.claims, entries, settled, strict=True):
            self.model.settle(claim, entry, amount, self.store.holder.number)

    @rule(name=names, left=amounts, lasts_s=st.sampled_from([-1.0, 0.0, 0.5, 20.0, 60.0, 300.0]))
    def bound(self, name: str, left: int, lasts_s: float) -> None:
        bound = Bound(left, self.model.now + lasts_s)

        self.store.bound({name: bound})

        self.model.bound(name, bound)

    @rule(names=st.lists(lasting_names, max_size=3))
    def loads(self, names: list[str]) -> None:
        assert self.store.loads(names) == [self.model.load(name) for name in names]

    @rule(target=tokens, name=names, limit=st.integers(0, 3), ttl_s=ttls)
    def hold(self, name: str, limit: int, ttl_s: float) -> object:
        token = self.store.hold(name, limit, ttl_s)

        assert (token is not None) == self.model.free(name, limit)
        if token is None:
            return multiple()
        assert token not in self.given[name]
        self.given[name].add(token)
        self.model.places[name][token] = self.model.now + ttl_s
        return token

    @rule(name=names, token=tokens)
    def let_go(self, name: str, token: str) -> None:
        self.store.let_go(name, token)

        self.model.places[name].pop(token, None)

    @rule(
        sums=st.dictionaries(lasting_names, st.integers(0, 4)),
        places=st.lists(st.tuples(names, tokens), max_size=3),
        ttl_s=ttls,
    )
    def renew(self, sums: dict[str, int], places: list[tuple[str, str]], ttl_s: float) -> None:
        self.store.renew(sums, places, ttl_s)

        self.model.renew(sums, self.store.holder.number, ttl_s)
        for name, token in places:
            self.model.renew_place(name, token, ttl_s)

    @rule(name=names, step=st.integers(-3, 3), within=st.sampled_from(["", "", "1", "2"]))
    def count(self, name: str, step: int, within: str) -> None:
        assert self.store.count(name, step, within) == self.model.count(name, step, within)

    @rule(name=names, old=st.none() | values, new=st.none() | values)
    def swap(self, name: str, old: bytes | None, new: bytes | None) -> None:
        found = self.store.swap(name, old, new)

        if self.model.records.get(name) == old:
            self.model.records[name] = new
        assert found == self.model.records.get(name)

    @rule(names=st.lists(names, max_size=4))
    def look(self, names: list[str]) -> None:
        records = [self.model.records.get(name) for name in names]

        assert self.store.look(names) == Looked(self.model.now, records)

    @rule(facts=st.dictionaries(names, values), ttl_s=ttls)
    def remember(self, facts: dict[str, bytes], ttl_s: float) -> None:
        self.store.remember(facts, ttl_s)

        end = self.model.now + ttl_s
        self.model.facts |= {name: (value, end) for name, value in facts.items()}

    @rule(names=st.lists(names, max_size=4))
    def recall(self, names: list[str]) -> None:
        assert self.store.recall(names) == [self.model.recall(name) for name in names]


Machine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
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


@pytest.mark.parametrize("record", [b"", b"\0", bytes(7), bytes(9), b"x" * 17, b"x" * 60])
def test_no_step_fails_of_a_record_of_a_wrong_length(record: bytes) -> None:
    store = MemoryStore(SetClock(START))
    with store.begin(write=True) as table:
        for kind in "wlpc":
            table.put(f"{kind}:n", record, DAY_S)

    assert store.loads(["n"]) == [Load(0, 0.0)]
    assert store.held("n") == 0
    assert (store.count("n", 0, "a"), store.count("n", 3), store.count("n")) == (0, 0, 3)
    store.let_go("n", "1")
    store.renew({"n": 1}, [("n", "1")], LONG_S)
    assert store.hold("n", 1, LONG_S)
    assert isinstance(store.take([[Claim("n", 1, 1), Claim("n", 1, 2, lasting=True)]]), Taken)
