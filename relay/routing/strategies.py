"""The strategies that are one rule each: the order of candidates from values (behaviour 7.3).

Every function takes those who can be selected, in config order, and returns them all, in the
order in which they are asked. Those that need more than a few lines have a file of their own:

    smooth.weighted_round_robin · deck.shuffle · rendezvous.cache_affinity · by_model.model_based

Nothing here counts, remembers or draws lots by itself: turns, loads, latencies and chance come in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from random import Random
from typing import Final

from relay.routing.candidate import Candidate

_PRIORITY: Final = attrgetter("priority")


@dataclass(frozen=True, slots=True)
class Load:
    """What one provider is doing, over all workers."""

    in_flight: int
    """Exchanges."""
    last_began: float
    """When its last request began, in seconds of any clock that all workers share."""


_IDLE: Final = Load(0, float("-inf"))


def failover(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Descending priority; equals in config order."""
    return sorted(candidates, key=_PRIORITY, reverse=True)


def round_robin(candidates: Sequence[Candidate], turn: int) -> list[Candidate]:
    """The one whose turn it is, then cyclic; the first turn is 0."""
    first = turn % len(candidates) if candidates else 0
    return [*candidates[first:], *candidates[:first]]


def least_loaded(candidates: Sequence[Candidate], loads: Mapping[str, Load]) -> list[Candidate]:
    """Fewest exchanges first; then priority, then who has waited longest for a request.

    A name without a load has never been asked.
    """

    def _rank(candidate: Candidate) -> tuple[int, int, float]:
        load = loads.get(candidate.name, _IDLE)
        return load.in_flight, -candidate.priority, load.last_began

    return sorted(candidates, key=_rank)


def weighted_failover(candidates: Sequence[Candidate], random: Random) -> list[Candidate]:
    """A random permutation, in which each next one is drawn by weight from those that are left.

    The same as this: everybody waits an exponential time, at the rate of their weight.
    """
    waits = {candidate.name: random.expovariate(candidate.weight) for candidate in candidates}
    return sorted(candidates, key=lambda candidate: waits[candidate.name])


def latency_based(
    candidates: Sequence[Candidate], latencies: Mapping[str, float | None]
) -> list[Candidate]:
    """Ascending seconds; before them all, so that it gets a sample, whoever has none."""

    def _rank(candidate: Candidate) -> float:
        latency_s = latencies.get(candidate.name)
        return float("-inf") if latency_s is None else latency_s

    return sorted(candidates, key=_rank)
