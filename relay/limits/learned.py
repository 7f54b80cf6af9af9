"""What an answer's headers say about the limits of the key that it was given to (behaviour 9.4).

`anthropic-ratelimit-{requests,input-tokens,output-tokens,tokens}-{limit,remaining,reset}`: each
field that cannot be read is ignored by itself. Header names:
https://docs.claude.com/en/api/rate-limits
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.limits.kinds import NO_LIMITS, UNKNOWN_LIMIT, Kind, Limits

_PREFIX: Final = "anthropic-ratelimit-"
_LENGTH: Final = len(_PREFIX)
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.REQUESTS: "requests",
    Kind.INPUT: "input-tokens",
    Kind.OUTPUT: "output-tokens",
    Kind.TOTAL: "tokens",
}
# Far over any real limit, and a number in every store.
_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Left:
    """`remaining` of a limit, until its reset."""

    remaining: int
    ahead_s: float
    """Seconds until the reset; more than 0."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the headers of one answer say."""

    limits: Limits
    left: Mapping[Kind, Left]

    @property
    def exhausted_s(self) -> float:
        """Until every limit that has nothing left is full again; 0 where none says so."""
        return max((each.ahead_s for each in self.left.values() if not each.remaining), default=0.0)


NOTHING_LEARNED: Final = Learned(NO_LIMITS, {})


def learned(headers: Sequence[tuple[str, str]], *, now_wall: float) -> Learned:
    """Read the headers; names in lower case."""
    fields = {name: value for name, value in headers if name[:_LENGTH] == _PREFIX}
    if not fields:
        return NOTHING_LEARNED
    limits, left = [0, 0, 0, 0], {}
    for kind, word in _KINDS.items():
        limit = whole(fields.get(f"{_PREFIX}{word}-limit", ""))
        remaining = whole(fields.get(f"{_PREFIX}{word}-remaining", ""))
        ahead_s = ahead(fields.get(f"{_PREFIX}{word}-reset", ""), now_wall)
        if limit:
            limits[kind] = limit
        if remaining is not None and ahead_s > 0:
            left[kind] = Left(remaining, ahead_s)
            limits[kind] = limits[kind] or UNKNOWN_LIMIT
    return Learned(Limits(*limits), left)


def whole(value: str) -> int | None:
    """A whole number of the usual size, else None."""
    value = value.strip(" \t")
    return int(value) if _WHOLE.fullmatch(value) else None


def ahead(moment: str, now_wall: float) -> float:
    """Seconds until a moment in RFC 3339; 0 for what is none, or is past."""
    if not _RFC_3339.fullmatch(moment):
        return 0.0
    with suppress(ValueError, OverflowError):
        return max(datetime.fromisoformat(moment.upper()).timestamp() - now_wall, 0.0)
    return 0.0
