"""In which order candidates are asked. The strategies beside failover take their place here."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def by_priority(candidates: Sequence[T], priority: Callable[[T], int]) -> list[T]:
    """Failover: descending priority, equals in the order they came (behaviour 7.3)."""
    return sorted(candidates, key=priority, reverse=True)
