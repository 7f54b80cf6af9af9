"""How long a key rests after a 429, read from the answer's headers (behaviour 9.5).

Only the key that was refused rests. Header names:
https://docs.claude.com/en/api/rate-limits
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from relay.limits.learned import learned

_NUMBER: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

# A `Retry-After` of 0 or less says "at once" to a key that was refused a moment ago.
_LEAST_S: Final = 1.0


def rest_s(
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
    *,
    now_wall: float,
    default_s: float,
    max_s: float,
) -> float:
    """Seconds a key of ours rests after this 429; names in lower case. Never over `max_s`.

    The first row of 9.5 that says something usable holds; `default_s` where none does.
    """
    fields = _first_values(headers)
    asked = _milliseconds(fields.get("retry-after-ms", ""))
    if asked is None:
        asked = _retry_after(fields.get("retry-after", ""), now_wall)
    if asked is None:
        asked = _until_reset(fields, now_wall)
    return min(default_s if asked is None else asked, max_s)


def _first_values(headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> Mapping[str, str]:
    if isinstance(headers, Mapping):
        return headers
    return dict(reversed(headers))


def _milliseconds(value: str) -> float | None:
    number = _number(value)
    return number / 1000 if number is not None and number > 0 else None


def _retry_after(value: str, now_wall: float) -> float | None:
    number = _number(value)
    if number is not None:
        return max(number, _LEAST_S)
    with suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(value).replace(tzinfo=UTC)  # HTTP dates are always GMT
        ahead_s = until.timestamp() - now_wall
        return ahead_s if ahead_s > 0 else None
    return None


def _until_reset(fields: Mapping[str, str], now_wall: float) -> float | None:
    """Until every limit that has nothing left is full again; None where none says so."""
    return learned(list(fields.items()), now_wall=now_wall).exhausted_s or None


def _number(value: str) -> float | None:
    """A decimal number; None for anything else that `float` would take (`inf`, `1_0`)."""
    value = value.strip(" \t")
    return float(value) if _NUMBER.fullmatch(value) else None
