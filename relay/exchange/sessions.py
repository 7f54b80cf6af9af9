"""Sessions: where a conversation went, and what it had in the prompt cache, as facts of the store.

The id is a client's own text; only a hash of it is kept.
"""

import struct
from hashlib import blake2b
from typing import Final, NamedTuple

from relay.limits.expected import cached_share
from relay.messages.usage import NO_USAGE, Usage
from relay.state.store import Store

_SHARE: Final = struct.Struct("<d")
# The prompt cache itself lasts five minutes, or an hour.
_SHARE_S: Final = 3600.0


class Whereabouts(NamedTuple):
    """Who last had a committed answer for a session."""

    provider: str
    key_digest: bytes
    """Empty where it was a credential of the client's."""


def whereabouts(store: Store, session: str) -> Whereabouts | None:
    """Where the session's prompt cache is, if that is remembered."""
    (fact,) = store.recall([f"session/{_name(session)}"])
    if fact is None:
        return None
    provider, _, digest = fact.partition(b"\0")
    return Whereabouts(provider.decode("utf-8", "replace"), digest)


def went(store: Store, session: str, where: Whereabouts, ttl_s: float) -> None:
    """Remember it for so long."""
    fact = where.provider.encode("utf-8", "replace") + b"\0" + where.key_digest
    store.remember({f"session/{_name(session)}": fact}, ttl_s)


def last_share(store: Store, session: str) -> float:
    """Which part of its input the session read from the cache the last time, from 0 to 1."""
    (fact,) = store.recall([f"share/{_name(session)}"])
    if fact is None or len(fact) != _SHARE.size:
        return 0.0
    share: float = _SHARE.unpack(fact)[0]
    return share


def used(store: Store, session: str, usage: Usage) -> None:
    """Remember what it had this time."""
    if usage != NO_USAGE:
        store.remember({f"share/{_name(session)}": _SHARE.pack(cached_share(usage))}, _SHARE_S)


def _name(session: str) -> str:
    return blake2b(session.encode("utf-8", "replace"), digest_size=16).hexdigest()
