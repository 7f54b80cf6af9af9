"""Digest: by what a thinking block is known again (behaviour 11.1).

Of its signature; of its text if it has none; of `data` if it is redacted. The kind is hashed with
it, so that no text can pass for a signature. Texts are hashed piece by piece as a stream brings
them, and none is kept.

The same text has the same digest however it was cut: JavaScript may cut a character in two, and
its halves are one again in the history that comes back. In UTF-16 they always were.
"""

import hashlib
from typing import Final

_SIGNATURE: Final = b"signature\0"
_REDACTED: Final = b"redacted\0"
_TEXT: Final = b"text\0"


def of_signature(signature: str) -> bytes:
    """The digest of a block that is signed."""
    return hashlib.sha256(_SIGNATURE + _encoded(signature)).digest()


def of_redacted(data: str) -> bytes:
    """The digest of a redacted block."""
    return hashlib.sha256(_REDACTED + _encoded(data)).digest()


def of_text(text: str) -> bytes:
    """The digest of a block without a signature."""
    whole = TextDigest()
    whole.add(text)
    return whole.digest()


class TextDigest:
    """The digest of a text that comes in pieces."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(_TEXT)
        self.is_empty = True
        """No piece had a character."""

    def add(self, piece: str) -> None:
        """Go on with the next piece."""
        if piece:
            self.is_empty = False
            self._hash.update(piece.encode("utf-16-le", "surrogatepass"))

    def digest(self) -> bytes:
        """As `of_text` of all pieces together."""
        return self._hash.digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
