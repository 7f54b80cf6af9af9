"""The signature memory: who issued a thinking block, as facts of the store (behaviour 11.1).

    sig/DIGEST   provider and family           slot/N   which block has the Nth place

Blocks take places in a ring of `signatures.max_entries`, so that the oldest go first; no text is
kept. Later turns of the conversation may come to any worker, and after a restart.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.config.model import SignaturesConfig
from relay.messages.thinking import MOST_BLOCKS
from relay.routing.affinity import Issuer
from relay.state.store import Store

_RING: Final = "signatures"


def issuers(store: Store, digests: Sequence[bytes]) -> Mapping[bytes, Issuer]:
    """Who issued those of these blocks, the newest of a history, that are remembered.

    Of one with very many the older ones count as not known: what is signed stays as it is.
    """
    digests = digests[-MOST_BLOCKS:]
    found = store.recall([_name(digest) for digest in digests])
    return {
        digest: _issuer(fact)
        for digest, fact in zip(digests, found, strict=True)
        if fact is not None
    }


def remember(
    store: Store, digests: Sequence[bytes], issuer: Issuer, config: SignaturesConfig
) -> None:
    """These blocks have just been issued by this provider, of this family."""
    digests = digests[-min(config.max_entries, MOST_BLOCKS) :]
    issued = frozenset(digests)
    first = store.count(_RING, len(digests))
    slots = [f"slot/{(first + place) % config.max_entries}" for place in range(len(digests))]
    gone = [digest for digest in store.recall(slots) if digest and digest not in issued]
    if gone:
        store.remember({_name(digest): b"" for digest in gone}, 0)
    fact = "\0".join(issuer).encode("utf-8", "replace")
    facts = {_name(digest): fact for digest in digests}
    facts |= dict(zip(slots, digests, strict=True))
    store.remember(facts, config.ttl_ms / 1000)


def _name(digest: bytes) -> str:
    return f"sig/{digest.hex()}"


def _issuer(fact: bytes) -> Issuer:
    provider, _, family = fact.decode("utf-8", "replace").partition("\0")
    return provider, family
