"""What outlives a configuration: one of each in a worker process, handed to every runtime.

So a reload forgets nothing: keys that rest go on resting, running exchanges keep their places.
"""

from dataclasses import dataclass, field

from relay.clock import Clock
from relay.keys.pool import KeyStates
from relay.limits.slots import Slots
from relay.stream.disconnect import ClientWatch


@dataclass(slots=True)
class Running:
    """How many exchanges this worker carries, and how many it can."""

    capacity: int
    """Each exchange holds two sockets; the rest of the descriptors stay for everything else."""
    count: int = 0
    draining: bool = False
    """The server is shutting down: ready no more, running exchanges may finish."""

    def enter(self) -> None:
        """One exchange more."""
        self.count += 1

    def leave(self) -> None:
        """One exchange less."""
        self.count -= 1


@dataclass(frozen=True, slots=True)
class Lasting:
    """The parts, in one hand."""

    clock: Clock
    keys: KeyStates
    slots: Slots
    watch: ClientWatch
    running: Running
    uncounted: dict[tuple[str, str], float] = field(default_factory=dict)
    """Provider name and base URL → monotonic seconds until which it counts no tokens (4.10)."""
