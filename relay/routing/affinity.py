"""Affinity: a conversation with thinking stays with whoever signed it (behaviour 7.2).

Who that was comes from the signature memory, block by block; who can take over comes from the
families. The strategy orders the others, and its state does not move.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from relay.routing.candidate import Candidate
from relay.routing.strategies import failover

Issuer: TypeAlias = tuple[str, str]
"""The provider's name and its signature family at the time."""

_FEWEST: Final = 2  # candidates among whom there is something to decide


def affinity(
    candidates: Sequence[Candidate],
    families: Mapping[str, str],
    issuers: Sequence[Issuer | None],
) -> Candidate | None:
    """Who goes first, or None if that is for the strategy to say.

    `issuers` has one entry for each signed assistant thinking block of the history, the newest
    first: who issued it, None if nobody remembers. None of them, or a single candidate: no
    affinity. The newest block that is remembered decides, even after some that are not. Its
    provider must still be of the family it had then; `families` is name → family as it is now.
    """
    if len(candidates) < _FEWEST or not issuers:
        return None
    remembered = next((issuer for issuer in issuers if issuer is not None), None)
    if remembered is None:
        return failover(candidates)[0]
    name, signed_as = remembered
    accepting = [candidate for candidate in candidates if families.get(candidate.name) == signed_as]
    own = (candidate for candidate in accepting if candidate.name == name)
    return next(own, None) or failover(accepting or candidates)[0]


def led_by(order: Sequence[Candidate], first: Candidate | None) -> list[Candidate]:
    """The order with `first` before all others, who keep theirs; as it is without one."""
    return sorted(order, key=lambda candidate: candidate != first)
