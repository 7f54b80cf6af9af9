"""What the tests of every store are given, and the times they use."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.secret import Secret
from relay.state.lmdb import LmdbStore
from relay.state.redis import RedisStore
from relay.state.store import Store

Later = Callable[[float], None]

SHORT_S = 0.1
"""Long enough for nothing to be seen before it has run out; short enough to wait for."""
LONG_S = 30.0


def open_lmdb(folder: Path) -> LmdbStore:
    """A store in this folder."""
    return LmdbStore(folder)


def open_redis(url: str, prefix: str) -> RedisStore:
    """A store with names of its own."""
    return RedisStore(Secret(url), prefix=prefix)


class SetClock:
    """The clocks of a machine, which stand until they are set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._monotonic = 1000.0

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self.seconds

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """What happens to the date of a machine, and to nothing else."""
        self.seconds -= seconds


class Given:
    """The fixtures that tell one store from another."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store."""
        raise NotImplementedError

    @pytest.fixture
    def later(self) -> Later:
        """Lets the time of the store pass."""
        return time.sleep


class GivenClock(Given):
    """The same for a store whose clock can be set."""

    @pytest.fixture
    def clock(self) -> SetClock:
        """The machine's."""
        return SetClock(int(time.time()) + 0.25)

    @pytest.fixture
    def later(self, clock: SetClock) -> Later:
        return clock.later
