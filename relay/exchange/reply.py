"""What goes back to the client: a status, headers, and a body that may own something."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One response. Whoever serves it calls `close` of the body where it has one."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]
