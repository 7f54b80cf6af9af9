"""Smooth weighted round robin, from the number of the turn alone.

The rule (behaviour 7.3): add each weight to its current value, take the greatest, subtract the sum
of weights from it. Workers share no current values, they share a count of turns. That is enough,
because all values are back at 0 after as many turns as the sum of weights, divided by what divides
them all: the orders of these turns are worked out once and repeat.

    weights 3 2 1 ──► A B A C B A, A B A C B A, …

A set of weights whose sum is absurd (1000000 and 1) would repeat too late to be remembered. Its
weights are scaled down to a sum of about 2000: shares then differ from the ideal by less than a
thousandth, and nobody falls below one turn in about 2000.
"""

import functools
import math
from collections.abc import Sequence
from typing import Final

from relay.routing.candidate import Candidate

LONGEST_PERIOD: Final = 2000
"""Turns, about: a period of three candidates is then worked out in 3 ms and takes 130 KB."""

# One entry for each set of weights that can be selected: as breakers open and close, a handful.
_REMEMBERED: Final = 32


def weighted_round_robin(candidates: Sequence[Candidate], turn: int) -> list[Candidate]:
    """The one whose turn it is, then the others by descending current value.

    Equals go in config order. `turn` counts from 0 and starts anew with another `set_id`.
    """
    if not candidates:
        return []
    period = _period(tuple(candidate.weight for candidate in candidates))
    return [candidates[position] for position in period[turn % len(period)]]


@functools.lru_cache(_REMEMBERED)
def _period(weights: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The order of positions in each turn, until all current values are 0 again."""
    weights = _reduced(weights)
    total = sum(weights)
    positions = range(len(weights))
    current = [0] * len(weights)
    orders: list[tuple[int, ...]] = []
    for _ in range(total):
        current = [value + weight for value, weight in zip(current, weights, strict=True)]
        order = tuple(sorted(positions, key=current.__getitem__, reverse=True))
        orders.append(order)
        current[order[0]] -= total
    return tuple(orders)


def _reduced(weights: tuple[int, ...]) -> tuple[int, ...]:
    """The same shares in the smallest whole numbers, or nearly the same in small enough ones."""
    shared = math.gcd(*weights)
    total = sum(weights)
    if total // shared > LONGEST_PERIOD:
        weights = tuple(max(1, round(weight * LONGEST_PERIOD / total)) for weight in weights)
        shared = math.gcd(*weights)
    return tuple(weight // shared for weight in weights)
