"""Window: how many of some events lie within any sixty seconds.

A request started at some moment between its client's sending it and its arrival upstream. Counted
are those that surely lie within: sent and arrived there. So a slow machine never makes a relay look
wrong, and one that lets through too many is seen to the millisecond.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LENGTH_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """One request that reached the upstream, and what it cost."""

    sent_at: float
    arrived_at: float
    cost: int = 1


def most_within(started: Iterable[Started], length_s: float = LENGTH_S) -> int:
    """The greatest cost within any `length_s`."""
    ordered = sorted(started, key=lambda one: one.sent_at)
    most = 0
    for number, first in enumerate(ordered):
        until = first.sent_at + length_s
        within = sum(one.cost for one in ordered[number:] if one.arrived_at < until)
        most = max(most, within)
    return most
