"""RESP: the commands that Redis reads, and the replies it gives (version 2 of the protocol)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that Redis answered."""

    code: str
    """Its first word: `NOSCRIPT`. The rest may quote what was sent."""


Reply: TypeAlias = "bytes | int | Refusal | list[Reply] | None"


class Unfinished(Exception):
    """There is more of the reply to come."""


def command(*words: bytes) -> bytes:
    """A whole command."""
    return b"*%d\r\n%b" % (len(words), b"".join(map(word, words)))


def word(text: bytes) -> bytes:
    """One word of a command."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def read(received: bytes, at: int = 0) -> tuple[Reply, int]:
    """The reply that begins at `at`, and where it ends.

    Raises: `Unfinished`; `ValueError` for what is no reply.
    """
    end = received.find(b"\r\n", at)
    if end < 0:
        raise Unfinished
    kind, line, after = received[at : at + 1], received[at + 1 : end], end + 2
    if kind in _LINES:
        return _LINES[kind](line), after
    if kind not in b"$*":
        raise ValueError("not a reply")
    size = int(line)
    if size < 0:
        return None, after
    return _text(received, after, size) if kind == b"$" else _list(received, after, size)


def _text(received: bytes, at: int, size: int) -> tuple[Reply, int]:
    if len(received) < at + size + 2:
        raise Unfinished
    return received[at : at + size], at + size + 2


def _list(received: bytes, at: int, size: int) -> tuple[Reply, int]:
    replies: list[Reply] = []
    for _ in range(size):
        reply, at = read(received, at)
        replies.append(reply)
    return replies, at


def _refusal(line: bytes) -> Refusal:
    return Refusal(line.split(b" ", 1)[0].decode("ascii", "replace"))


_LINES: Final[Mapping[bytes, Callable[[bytes], Reply]]] = {b"+": bytes, b":": int, b"-": _refusal}
