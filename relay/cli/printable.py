"""What a stranger sent, as it may be shown on a terminal."""

from typing import Final

_MOST_CHARS: Final = 500


def printable(text: str) -> str:
    """Without what would steer a terminal, and no longer than a few lines."""
    return "".join(char if char.isprintable() else " " for char in text)[:_MOST_CHARS]
