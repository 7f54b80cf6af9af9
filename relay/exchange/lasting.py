"""What outlives a configuration: one of each in a worker process, handed to every runtime.

So a reload forgets nothing: what workers share is in the store under names, running exchanges keep
their places.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from relay.breaker.breaker import Breakers
from relay.clock import Clock
from relay.exchange.keeper import Keeper
from relay.exchange.line import Lines
from relay.limits.expected import Outputs
from relay.limits.retry_budget import RetryBudget
from relay.limits.slots import Slots
from relay.state.shared import SharedStore
from relay.stream.disconnect import ClientWatch


@dataclass(slots=True)
class Running:
    """How many exchanges this worker carries, and how many it can."""

    capacity: int
    """Each exchange holds two sockets; the rest of the descriptors stay for everything else."""
    count: int = 0
    draining: bool = False
    """The server is shutting down: ready no more, running exchanges may finish."""
    attempts: Counter[str] = field(default_factory=Counter)
    """How many attempts are going on by key id, or by provider where the key is the client's."""

    def enter(self) -> None:
        """One exchange more."""
        self.count += 1

    def leave(self) -> None:
        """One exchange less."""
        self.count -= 1

    def begin(self, asked: str) -> None:
        """One attempt more; `asked`: key id or provider."""
        self.attempts[asked] = self.attempts.get(asked, 0) + 1

    def finish(self, asked: str) -> None:
        """One attempt less."""
        left = self.attempts[asked] - 1
        if left:
            self.attempts[asked] = left
        else:
            del self.attempts[asked]


@dataclass(frozen=True, slots=True)
class Lasting:
    """The parts, in one hand."""

    clock: Clock
    store: SharedStore
    """What all workers share."""
    breakers: Breakers
    keeper: Keeper
    slots: Slots
    watch: ClientWatch
    running: Running
    lines: Lines = field(default_factory=Lines)
    """Who waits for room (9.7)."""
    outputs: Outputs = field(default_factory=Outputs)
    retries: RetryBudget = field(default_factory=RetryBudget)
    uncounted: dict[tuple[str, str], float] = field(default_factory=dict)
    """Provider name and base URL → monotonic seconds until which it counts no tokens (4.10)."""

    @classmethod
    def of(
        cls, *, clock: Clock, store: SharedStore, slots: Slots, watch: ClientWatch, running: Running
    ) -> Self:
        """Join them."""
        return cls(clock, store, Breakers(store), Keeper(store), slots, watch, running)

    def close(self) -> None:
        """Let go of the store, and renew nothing any more. Idempotent."""
        self.keeper.close()
        self.store.close()
