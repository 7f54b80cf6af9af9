"""Known: what all workers know of the keys of one provider, as one record of the store.

Only keys of which there is something to know stand in it. A key is told by a keyed hash of its
text, so its place in the configuration makes no difference, and its text is nowhere.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from relay.limits.kinds import NO_LIMITS, Limits
from relay.secret import Secret

_DIGEST_BYTES: Final = 12
_ENTRY: Final = struct.Struct(f"<{_DIGEST_BYTES}sdd4q")
# A record of this many is 12 KiB; a provider with more keys forgets the least interesting.
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one key; times in Unix seconds of the store."""

    rests_until: float = 0.0
    """It was throttled."""
    aside_until: float = 0.0
    """It was refused: only a last resort until then."""
    limits: Limits = NO_LIMITS
    """What its provider has said of its limits."""


UNKNOWN: Final = Known()
"""A key never heard of is well."""


def digest_of(provider: str, key: Secret) -> bytes:
    """What tells a key of this provider from others, over all machines."""
    text = key.reveal().encode("utf-8", "surrogatepass")
    name = blake2b(provider.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    return blake2b(text, key=name, digest_size=_DIGEST_BYTES, person=b"cc-relay key").digest()


def read(record: bytes | None) -> Mapping[bytes, Known]:
    """The keys by their digests. A record of another version is read as none."""
    if not record or len(record) % _ENTRY.size:
        return {}
    return {
        digest: Known(rests_until, aside_until, Limits(*limits))
        for digest, rests_until, aside_until, *limits in _ENTRY.iter_unpack(record)
    }


def written(known: Mapping[bytes, Known], now: float) -> bytes | None:
    """The record that says so, without what says nothing any more; None when nothing is left."""
    kept = {digest: each for digest, each in known.items() if _says_something(each, now)}
    if len(kept) > _MOST:
        newest = sorted(kept, key=lambda each: max(kept[each].rests_until, kept[each].aside_until))
        kept = {digest: kept[digest] for digest in newest[-_MOST:]}
    entries = [
        _ENTRY.pack(digest, each.rests_until, each.aside_until, *each.limits)
        for digest, each in kept.items()
    ]
    return b"".join(entries) or None


def _says_something(known: Known, now: float) -> bool:
    return known.rests_until > now or known.aside_until > now or known.limits != NO_LIMITS
