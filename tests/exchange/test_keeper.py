"""What running exchanges hold lasts while their process lives, and no longer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from relay.exchange.keeper import Keeper
from relay.state.memory import MemoryStore
from relay.state.store import HELD_S, Claim, Taken
from tests.exchange.conftest import Lines
from tests.exchange.driving import LeapingClock
from tests.scripted.waiting import until

EVERY_S = 0.02


class Place:
    """A place that counts how often it was renewed."""

    def __init__(self) -> None:
        self.renewed = 0

    def renew(self) -> None:
        self.renewed += 1


class Broken(Place):
    def renew(self) -> None:
        super().renew()
        raise KeyError("a place that cannot be renewed")


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def store(clock: LeapingClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def keeper(store: MemoryStore) -> Iterator[Keeper]:
    keeper = Keeper(store, every_s=EVERY_S)
    yield keeper
    keeper.close()


def take(store: MemoryStore, name: str) -> Taken:
    taken = store.take([[Claim(name, 1, lasting=True)]])
    assert isinstance(taken, Taken)
    return taken


@contextmanager
def renewed(place: Place) -> Iterator[None]:
    """Within, it was renewed at least twice, so that everything was since it began."""
    before = place.renewed
    yield
    until("two renewals", lambda: place.renewed >= before + 2)


def test_what_is_held_outlasts_its_time_while_it_is_renewed(
    keeper: Keeper, store: MemoryStore, clock: LeapingClock
) -> None:
    take(store, "kept")
    take(store, "lost")
    place = Place()
    keeper.claim("kept")
    keeper.place(place)

    for _ in range(3):
        with renewed(place):
            clock.ahead_s += HELD_S * 0.6

    assert [load.held for load in store.loads(["kept", "lost"])] == [1, 0]


def test_a_claim_is_renewed_while_anybody_holds_it(
    keeper: Keeper, store: MemoryStore, clock: LeapingClock
) -> None:
    place = Place()
    keeper.place(place)
    for _ in range(2):
        take(store, "n")
        keeper.claim("n")
    keeper.unclaim("n")
    for _ in range(2):
        with renewed(place):
            clock.ahead_s += HELD_S * 0.6
    assert store.loads(["n"])[0].held == 1

    keeper.unclaim("n")

    for _ in range(2):
        with renewed(place):
            clock.ahead_s += HELD_S * 0.6
    assert store.loads(["n"])[0].held == 0


def test_what_was_settled_in_vain_is_free_with_the_next_renewal(
    keeper: Keeper, store: MemoryStore
) -> None:
    """As when the store was away for a moment: it still counts what nobody holds any more."""
    place = Place()
    keeper.place(place)
    for _ in range(3):
        take(store, "n")
        keeper.claim("n")

    keeper.unclaim("n")

    with renewed(place):
        pass
    assert store.loads(["n"])[0].held == 2


def test_a_place_that_is_freed_is_renewed_no_more(keeper: Keeper) -> None:
    held, freed = Place(), Place()
    keeper.place(held)
    keeper.place(freed)
    with renewed(held):
        pass

    keeper.free(freed)

    with renewed(held):
        pass  # one that was under way is over
    count = freed.renewed
    with renewed(held):
        pass
    assert freed.renewed == count


def test_a_renewal_that_fails_is_not_the_last(keeper: Keeper, lines: Lines) -> None:
    broken = Broken()
    keeper.place(broken)

    with renewed(broken):
        pass

    assert lines.of("what is held could not be renewed")


def test_a_place_that_fails_does_not_keep_others_from_being_renewed(keeper: Keeper) -> None:
    broken, places = [Broken() for _ in range(3)], [Place() for _ in range(5)]
    for place in (*broken, *places):
        keeper.place(place)

    for place in places:
        with renewed(place):
            pass


@pytest.mark.parametrize("hold", ["claim", "place"])
def test_it_costs_nothing_while_nothing_is_held(keeper: Keeper, hold: str) -> None:
    place = Place()
    ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "claim": (lambda: keeper.claim("n"), lambda: keeper.unclaim("n")),
        "place": (lambda: keeper.place(place), lambda: keeper.free(place)),
    }
    take_it, give_it_back = ways[hold]
    assert not keeper.is_running
    for _ in range(2):
        take_it()
        take_it()
        assert keeper.is_running

        give_it_back()
        give_it_back()

        until("the end of the thread", lambda: not keeper.is_running)


def test_it_ends_when_it_is_closed(keeper: Keeper) -> None:
    keeper.claim("n")
    assert keeper.is_running

    keeper.close()
    keeper.close()

    until("the end of the thread", lambda: not keeper.is_running)


def test_freeing_what_is_not_held_does_no_harm(keeper: Keeper) -> None:
    keeper.free(Place())
    keeper.unclaim("n")

    keeper.claim("n")

    assert keeper.is_running
