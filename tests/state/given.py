"""What the tests of every store are given, and the times they use."""

import time
from collections.abc import Callable

import pytest

from relay.secret import Secret
from relay.state.redis import RedisStore
from relay.state.store import Store

Later = Callable[[float], None]

SHORT_S = 0.15
"""Long enough for nothing to be seen before it has run out; short enough to wait for."""
LONG_S = 30.0


def open_redis(url: str, prefix: str) -> RedisStore:
    """A store with names of its own."""
    return RedisStore(Secret(url), prefix=prefix)


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return self.seconds

    def later(self, seconds: float) -> None:
        """Let time pass; less than nothing steps it back."""
        self.seconds += seconds


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
