"""What every load is: something that is driven at a gateway and gives figures."""

from collections.abc import Sequence
from typing import Protocol

from bench.load.figures import Column, Figures
from bench.load.gateway import Gateway
from bench.load.stage import Stage


class Load(Protocol):
    """One shape of load. Its fields are its size, so that tests can make it small."""

    @property
    def name(self) -> str:
        """What `--only` calls it."""

    @property
    def title(self) -> str:
        """What it is, as a table's heading."""

    @property
    def columns(self) -> Sequence[Column]:
        """Its figures in order."""

    @property
    def is_ours_alone(self) -> bool:
        """Whether it starts relays of its own, so that there is nothing to measure elsewhere."""

    def measure(self, stage: Stage, gateway: Gateway | None, /) -> Figures:
        """Measure once; without a gateway, the relay."""
