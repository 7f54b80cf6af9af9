"""Every store does what the protocol says."""

import time

import pytest

from relay.state.memory import MemoryStore
from relay.state.store import Store
from tests.state import crowd
from tests.state.conformance import Conformance
from tests.state.crowd import Gains
from tests.state.given import Later, SetClock
from tests.state.minute_steps import MinuteSteps


class TestMemory(Conformance, MinuteSteps):
    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock(time.time())

    @pytest.fixture
    def store(self, clock: SetClock) -> Store:
        return MemoryStore(clock)

    @pytest.fixture
    def later(self, clock: SetClock) -> Later:
        return clock.later


@pytest.fixture(scope="module", params=["threads over memory"])
def gains() -> list[Gains]:
    return crowd.of_threads(MemoryStore())


def test_all_together_take_the_limit_and_no_more(gains: list[Gains]) -> None:
    assert sum(each.taken for each in gains) == crowd.ROOM


def test_all_together_hold_as_many_places_as_there_are(gains: list[Gains]) -> None:
    tokens = [token for each in gains for token in each.places]

    assert len(tokens) == len(set(tokens)) == crowd.PLACES


def test_no_count_is_lost_or_told_twice(gains: list[Gains]) -> None:
    told = sorted(number for each in gains for number in each.counted)

    assert told == list(range(crowd.SIZE * crowd.COUNTS))


def test_one_of_those_who_swap_a_record_wins(gains: list[Gains]) -> None:
    became = sorted(number for each in gains for number in each.swapped)

    assert became == list(range(1, crowd.SIZE * crowd.SWAPS + 1))
