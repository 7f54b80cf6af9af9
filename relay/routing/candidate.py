"""A candidate: an upstream that an exchange may use, as far as its order matters.

A route is worked out on a sequence of these. Where a rule says *config order* it means the order
of that sequence: a scenario that names providers has put its own there.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One upstream; names are unique in a sequence."""

    name: str
    priority: int = 0
    """Higher is preferred."""
    weight: int = 1
    """At least 1: the 0 of a configuration counts as 1 (`weighing`)."""


def weighing(weight: int) -> int:
    """What a configured weight counts."""
    return max(weight, 1)


def set_id(candidates: Sequence[Candidate]) -> str:
    """The name of this set: the same for the same names and weights in the same order.

    Counters of turns are kept under it, so that a sequence starts anew when who can be selected
    changes, and all workers that see the same candidates share one.
    """
    told = "".join(f"{candidate.name}\0{candidate.weight}\0" for candidate in candidates)
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=8).hexdigest()
