"""Cache affinity: a session goes where its prompt cache is, a new one where its hash sends it.

Rendezvous hashing: every candidate gets a score from the session and its own name, the highest
wins. Nothing is stored for it, all workers agree, and when a candidate goes, only its own sessions
move: everybody else's scores stay as they were. Weights hold exactly: with h evenly spread between
0 and 1, -weight / ln(h) is greatest for each as often as its weight says.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Final

from relay.routing.candidate import Candidate
from relay.routing.strategies import failover

# Bits of the hash that count: with one more, the greatest would round to a whole 1, whose
# logarithm is 0.
_BITS: Final = 52


def cache_affinity(
    candidates: Sequence[Candidate], session: str, stays_with: str | None
) -> list[Candidate]:
    """Whoever has the session's cache, then descending rendezvous rank; no session: failover.

    `stays_with` is the name of the provider that last had a committed answer for the session, if
    that is remembered; it counts where it is among the candidates.
    """
    if not session:
        return failover(candidates)
    ranked = sorted(candidates, key=lambda candidate: _score(session, candidate), reverse=True)
    return sorted(ranked, key=lambda candidate: candidate.name != stays_with)


def _score(session: str, candidate: Candidate) -> float:
    told = f"{session}\0{candidate.name}".encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest()) >> (64 - _BITS)
    return -candidate.weight / math.log((drawn + 0.5) / (1 << _BITS))
