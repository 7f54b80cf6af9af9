"""The four things a provider limits in a minute, and what one request needs of them."""

from enum import IntEnum
from typing import Final, NamedTuple

from relay.messages.usage import Usage


class Kind(IntEnum):
    """Also the place in a `Limits`."""

    REQUESTS = 0
    INPUT = 1
    """Uncached input tokens, cache writes included (behaviour 9.3)."""
    OUTPUT = 2
    TOTAL = 3
    """Input and output together."""


UNKNOWN_LIMIT: Final = 1 << 53
"""Stands for the limit of which only the rest is told; larger than any that is."""


class Limits(NamedTuple):
    """So much in any minute, by `Kind`; 0: no limit."""

    requests: int = 0
    input: int = 0
    output: int = 0
    total: int = 0

    @property
    def of_tokens(self) -> bool:
        """Whether any of them is about tokens."""
        return bool(self.input or self.output or self.total)

    def updated(self, newer: "Limits") -> "Limits":
        """As `newer` says, where it says something."""
        pairs = zip(self, newer, strict=True)
        return Limits(*(new if new not in (0, UNKNOWN_LIMIT) else was or new for was, new in pairs))

    def beside(self, other: "Limits") -> "Limits":
        """The smaller of each."""
        return Limits(*(min(a, b) if a and b else a or b for a, b in zip(self, other, strict=True)))


class Amounts(NamedTuple):
    """What a request takes, by `Kind`."""

    requests: int
    input: int
    output: int
    total: int

    @classmethod
    def of(cls, input_tokens: int, output_tokens: int, *, requests: int = 1) -> "Amounts":
        """With the total."""
        return cls(requests, input_tokens, output_tokens, input_tokens + output_tokens)

    @classmethod
    def used(cls, usage: Usage) -> "Amounts":
        """What a request has used; reads from the prompt cache are free."""
        taken, given = usage.input_tokens + usage.cache_write, usage.output_tokens
        return cls(1, taken, given, taken + given)


NO_LIMITS = Limits()
NOTHING = Amounts(0, 0, 0, 0)
"""The upstream never had it."""
A_REQUEST = Amounts(1, 0, 0, 0)
"""It was answered with an error: the request counts, its tokens do not."""
