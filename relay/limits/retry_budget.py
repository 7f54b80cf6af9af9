"""Retry budget: so that a fleet that fails is not asked much more often than one that works.

Every exchange adds a little, every attempt beyond its first takes one (behaviour 8.3).
"""

from typing import Final

from relay.config.model import RetryBudgetConfig

_MOST_RESERVES: Final = 10


class RetryBudget:
    """What is left of one process's budget. It outlives reloads; each call says what holds."""

    def __init__(self) -> None:
        self._left: float | None = None

    def add(self, config: RetryBudgetConfig) -> None:
        """An exchange began."""
        most = max(_MOST_RESERVES * config.reserve, 1.0)
        self._left = min(self.left(config) + config.ratio, most)

    def spend(self, config: RetryBudgetConfig) -> bool:
        """Another attempt is wanted. False: there is nothing left for it."""
        left = self.left(config)
        if left < 1:
            return False
        self._left = left - 1
        return True

    def left(self, config: RetryBudgetConfig) -> float:
        """How many further attempts there is room for."""
        return float(config.reserve) if self._left is None else self._left
