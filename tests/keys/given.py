"""What the tests of keys are given: configured keys, and a pool over a store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from relay.clock import Clock
from relay.config.model import KeyConfig, PoolingConfig, ProviderConfig, TimeoutsConfig
from relay.keys.known import digest_of
from relay.keys.lease import Lease, Resting
from relay.keys.pool import KeyPool
from relay.keys.standing import Standing
from relay.limits.kinds import A_REQUEST, Amounts
from relay.secret import Secret
from relay.state.memory import MemoryStore
from relay.state.steps import Table
from relay.state.store import Store

Strategy = Literal["least_loaded", "round_robin", "random", "weighted"]

_NO_LIMITS: Mapping[str, int] = {f"{kind}_limit": 0 for kind in ("rpm", "itpm", "otpm", "tpm")}


def a_key(text: str, *, priority: int = 0, weight: int = 1, **limits: int) -> KeyConfig:
    """A key as the configuration has it; limits by their names there."""
    return KeyConfig(key=Secret(text), priority=priority, weight=weight, **{**_NO_LIMITS, **limits})


def a_provider(
    keys: Sequence[KeyConfig],
    *,
    name: str = "p",
    strategy: Strategy = "least_loaded",
    pooling: bool = True,
) -> ProviderConfig:
    """A provider as the configuration has it."""
    return ProviderConfig(
        name=name,
        type="anthropic",
        base_url=Secret("http://127.0.0.1:1"),
        auth="auto",
        models=(),
        model_mapping={},
        priority=0,
        weight=1,
        keys=tuple(keys),
        pooling=PoolingConfig(strategy=strategy, enabled=pooling),
        timeouts=TimeoutsConfig(connect_ms=1000, first_byte_ms=1000, idle_ms=1000),
        proxy=Secret(""),
        ca_file="",
    )


class Keys:
    """A pool over a store; each step is given what the store says at that moment."""

    def __init__(
        self,
        store: Store,
        *keys: str | KeyConfig,
        name: str = "p",
        strategy: Strategy = "least_loaded",
        pooling: bool = True,
    ) -> None:
        made = [a_key(key) if isinstance(key, str) else key for key in keys]
        config = a_provider(made, name=name, strategy=strategy, pooling=pooling)
        self.pool = KeyPool(config, store=store)
        self._store = store
        self._name = name

    @property
    def standing(self) -> Standing:
        """What the store says of the keys now."""
        now, (record,) = self._store.look([self.pool.record_name])
        return Standing.of_record(record, now)

    @property
    def available(self) -> int:
        """How many keys an attempt could have."""
        return self.pool.available(self.standing)

    def ask(self, *exclude: int, amounts: Amounts = A_REQUEST, **how: Any) -> Lease | Resting:
        """As `KeyPool.lease`."""
        return self.pool.lease(self.standing, amounts, exclude, **how)

    def claim(self, *exclude: int, **how: Any) -> Lease:
        """The lease of a key, which there must be."""
        lease = self.ask(*exclude, **how)
        assert isinstance(lease, Lease)
        return lease

    def use(self, *exclude: int, **how: Any) -> int:
        """The position of the key that an attempt had, which used what it had claimed."""
        lease = self.claim(*exclude, **how)
        lease.settle()
        return lease.position

    def uses(self, times: int) -> list[int]:
        """The same, one after the other."""
        return [self.use() for _ in range(times)]

    def wait_s(self, *exclude: int, **how: Any) -> float:
        """How long there is no key, which must be so."""
        resting = self.ask(*exclude, **how)
        assert isinstance(resting, Resting)
        return resting.wait_s

    def digest(self, text: str) -> bytes:
        """What tells the key of this text from others."""
        return digest_of(self._name, Secret(text))


MakeKeys = Callable[..., Keys]


class CountingStore(MemoryStore):
    """A store that says how often it was written to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.writes = 0

    @contextmanager
    def begin(self, *, write: bool) -> Iterator[Table]:
        self.writes += write
        with super().begin(write=write) as table:
            yield table
