"""Wait for a condition, never for a time: every wait in these tests has a limit and a reason."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY_S = 0.01


def until(what: str, look: Callable[[], T | None], within_s: float = 5.0) -> T:
    """The first truthy answer of `look`.

    Raises: `AssertionError` naming `what` when there is none within `within_s`.
    """
    ends = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > ends:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(_LOOK_EVERY_S)
