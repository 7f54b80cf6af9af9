"""Shuffle: deal from a deck that is the same for all workers.

Turn 7 of three candidates is the second card of the third deck. Each deck's order comes from a
hash of its number, so whoever knows the count of turns and the seed knows the order, and nobody
has to remember it.
"""

import hashlib
from collections.abc import Sequence

from relay.routing.candidate import Candidate, set_id


def shuffle(candidates: Sequence[Candidate], turn: int, seed: bytes) -> list[Candidate]:
    """The rest of the current deck, then those dealt already, in the order they were dealt.

    `turn` counts from 0 and starts anew with another `set_id`. The same `seed` for all workers
    makes it one deck; one that nobody knows makes it a shuffled one. Weights do not matter.
    """
    if not candidates:
        return []
    number, dealt = divmod(turn, len(candidates))
    deck = _shuffled(candidates, number, seed)
    return deck[dealt:] + deck[:dealt]


def _shuffled(candidates: Sequence[Candidate], number: int, seed: bytes) -> list[Candidate]:
    """A permutation by hash: the same in every process and every version of Python."""
    deck = hashlib.blake2b(seed + f"\0{set_id(candidates)}\0{number}\0".encode("ascii"))

    def _rank(candidate: Candidate) -> bytes:
        card = deck.copy()
        card.update(candidate.name.encode("utf-8", "replace"))
        return card.digest()

    return sorted(candidates, key=_rank)
