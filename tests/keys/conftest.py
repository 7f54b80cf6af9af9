"""A store whose clock the test moves, pools over it, and two workers that share one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.config.model import KeyConfig
from relay.state.holder import Holder
from relay.state.lmdb import LmdbStore
from relay.state.memory import MemoryStore
from tests.keys.given import Keys, MakeKeys, Strategy
from tests.state.given import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock(1_795_575_600.25)


@pytest.fixture
def store(clock: SetClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def keys_of(store: MemoryStore) -> MakeKeys:
    def make(
        *keys: str | KeyConfig,
        name: str = "p",
        strategy: Strategy = "least_loaded",
        pooling: bool = True,
    ) -> Keys:
        return Keys(store, *keys, name=name, strategy=strategy, pooling=pooling)

    return make


@pytest.fixture
def workers(tmp_path: Path, clock: SetClock) -> Iterator[tuple[LmdbStore, LmdbStore]]:
    """The stores of two workers."""
    one, other = LmdbStore(tmp_path, clock=clock), LmdbStore(tmp_path, clock=clock)
    other.holder = Holder()  # as in another process
    yield one, other
    one.close()
    other.close()
