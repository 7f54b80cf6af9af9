"""Secrets as a type that does not print.

`str`, `repr`, f-strings and `json` of a `Secret` give `********`. `reveal()` is the only way to
the text, so it can be searched for: it stands in the providers' `authorize` hooks, and where a
secret is compared or redacted. Comparison is over a keyed hash, in constant time.
"""

import hashlib
import hmac
import secrets
from typing import Final

MASK: Final = "********"

# Made anew in each process: a fingerprint can be compared, but never looked up in a table.
_PROCESS_KEY: Final = secrets.token_bytes(32)


class Secret:
    """A credential. Equal to another one with the same text; false when empty."""

    __slots__ = ("_digest", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = _digest(text)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def matches(self, text: str) -> bool:
        """Whether `text` is this secret. An empty secret matches nothing."""
        return bool(self._text) and hmac.compare_digest(self._digest, _digest(text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._digest, other._digest)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK if self._text else ''!r})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=_PROCESS_KEY).digest()
