"""The store goes away and comes back, and whoever asks goes on (behaviour 9.8)."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from relay.state.memory import MemoryStore
from relay.state.shared import SharedStore
from relay.state.store import Bound, Claim, Full, Load, Store, Taken
from tests.state.given import SetClock
from tests.state.leaving import LONG_S, ONE, Leaving, counted

DEGRADED: Final = "state degraded: each process counts for itself"
SHARED: Final = "state is shared again"


@pytest.fixture
def store() -> Leaving:
    return Leaving()


@pytest.fixture
def shared(store: Leaving) -> SharedStore:
    return SharedStore(store, settled_s=0.0)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    caplog.set_level(logging.INFO, "relay.state")
    return lambda: [(each.levelname, each.getMessage()) for each in caplog.records]


STEPS: Mapping[str, Callable[[Store], object]] = {
    "take": lambda store: store.take(ONE),
    "rooms": lambda store: store.rooms(ONE),
    "settle": lambda store: store.settle(Taken(0, tuple(ONE[0]), 0), (0,)),
    "bound": lambda store: store.bound({"w": Bound(1, 0.0)}),
    "hold": lambda store: store.hold("p", 1, LONG_S),
    "held": lambda store: store.held("p"),
    "let_go": lambda store: store.let_go("p", "1"),
    "renew": lambda store: store.renew({"l": 1}, [("p", "1")], LONG_S),
    "count": lambda store: store.count("c"),
    "swap": lambda store: store.swap("r", None, b"1"),
    "look": lambda store: store.look(["r"]),
    "loads": lambda store: store.loads(["l"]),
    "remember": lambda store: store.remember({"f": b"1"}, LONG_S),
    "recall": lambda store: store.recall(["f"]),
    "now": lambda store: store.now(),
}


def test_every_step_is_tried() -> None:
    steps = {name for name in vars(Store) if not name.startswith("_")}

    assert set(STEPS) == steps - {"close", "waits"}


@pytest.mark.parametrize("step", STEPS)
def test_no_step_fails_while_the_store_is_away(
    shared: SharedStore, store: Leaving, step: str
) -> None:
    there = STEPS[step](MemoryStore())
    store.is_away = True

    found = STEPS[step](shared)

    assert type(found) is type(there)
    assert shared.is_degraded
    assert shared.degraded_steps == 1


@pytest.mark.parametrize("step", sorted({*STEPS} - {"settle", "let_go", "renew"}))
def test_a_step_that_the_store_answers_is_shared_again(
    shared: SharedStore, store: Leaving, step: str
) -> None:
    store.is_away = True
    shared.count("c")
    store.is_away = False

    STEPS[step](shared)

    assert not shared.is_degraded


def test_steps_go_to_the_store_while_it_is_there(shared: SharedStore, store: Leaving) -> None:
    shared.count("c", 5)
    shared.swap("r", None, b"1")
    shared.remember({"f": b"2"}, LONG_S)
    shared.take([[Claim("l", 1, lasting=True)]])

    assert store.count("c") == 5
    assert store.look(["r"]).records == [b"1"]
    assert store.recall(["f"]) == [b"2"]
    assert store.loads(["l"])[0].held == 1
    assert (shared.is_degraded, shared.degraded_steps) == (False, 0)


def test_it_is_said_once_when_it_begins_and_once_when_it_ends(
    shared: SharedStore, store: Leaving, said: Callable[[], list[tuple[str, str]]]
) -> None:
    for _ in range(2):
        shared.count("c")
        store.is_away = True
        for step in STEPS.values():
            step(shared)
        store.is_away = False
        shared.count("c")
        shared.count("c")

    assert said() == [("WARNING", DEGRADED), ("INFO", SHARED)] * 2


def test_one_that_comes_and_goes_is_spoken_of_once(
    store: Leaving, said: Callable[[], list[tuple[str, str]]]
) -> None:
    clock = SetClock(1_800_000_000)
    shared = SharedStore(store, clock=clock)
    for _ in range(5):
        store.is_away = True
        shared.count("c")
        store.is_away = False
        shared.look(["r"])
        clock.later(0.5)
    assert said() == [("WARNING", DEGRADED)]

    clock.later(1)
    shared.look(["r"])

    assert said() == [("WARNING", DEGRADED), ("INFO", SHARED)]


def test_why_it_is_away_is_said(
    shared: SharedStore, store: Leaving, caplog: pytest.LogCaptureFixture
) -> None:
    store.is_away = True

    shared.now()

    fields: Any = caplog.records[0]
    assert fields.fields == {"reason": "gone for a walk"}


def test_limits_hold_for_this_process_while_the_store_is_away(
    shared: SharedStore, store: Leaving
) -> None:
    store.is_away = True

    taken = shared.take(ONE)

    assert isinstance(taken, Taken)
    assert taken.is_local
    assert counted(shared) == 1
    assert isinstance(shared.take(ONE), Full)
    assert shared.hold("p", 1, LONG_S) is not None
    assert shared.hold("p", 1, LONG_S) is None


def test_places_and_loads_are_counted_for_this_process(shared: SharedStore, store: Leaving) -> None:
    store.is_away = True
    taken = shared.take([[Claim("l", 1, lasting=True)]])
    assert isinstance(taken, Taken)
    assert shared.loads(["l"])[0].held == 1

    shared.settle(taken, (0,))

    assert shared.loads(["l"])[0].held == 0


def test_records_and_facts_are_this_process_s(shared: SharedStore, store: Leaving) -> None:
    shared.swap("r", None, b"shared")
    store.is_away = True
    assert shared.look(["r"]).records == [None]

    assert shared.swap("r", None, b"own") == b"own"
    shared.remember({"f": b"1"}, LONG_S)

    assert shared.look(["r"]).records == [b"own"]
    assert shared.recall(["f"]) == [b"1"]
    store.is_away = False
    assert shared.look(["r"]).records == [b"shared"]
    assert shared.swap("r", b"own", b"new") == b"shared"


def test_bounds_hold_where_they_are_told(shared: SharedStore, store: Leaving) -> None:
    store.is_away = True
    shared.bound({"w": Bound(1, shared.now() + LONG_S)})

    assert counted(shared) == 2
    store.is_away = False
    assert counted(shared) == 0


def test_whether_it_answers_is_asked_of_the_store_itself(
    shared: SharedStore, store: Leaving
) -> None:
    assert shared.answers()
    store.is_away = True
    assert not shared.answers()
    assert shared.is_degraded
    store.is_away = False
    assert shared.answers()
    assert not shared.is_degraded


def test_other_faults_are_not_taken_for_a_store_that_is_away() -> None:
    class Broken(Leaving):
        def count(self, name: str, step: int = 1, within: str = "") -> int:
            raise KeyError(name, step, within)

    with pytest.raises(KeyError):
        SharedStore(Broken()).count("c")


def test_closing_closes_the_store(shared: SharedStore, store: Leaving) -> None:
    assert shared.loads(["l"]) == [Load(0, 0.0)]

    shared.close()

    assert store.is_closed
