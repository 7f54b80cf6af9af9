"""Tap: what watches a stream. Bytes out equal bytes in; a tap never changes, delays or fails it.

A tap sees each chunk before the client gets it (the upstream has billed it either way), as it
came from the upstream, framing removed, content coding not. Its memory is bounded by a named
constant.
"""

import logging
from typing import Protocol

log = logging.getLogger("relay")


class Tap(Protocol):
    """Something that is shown every chunk of one body, in order."""

    def feed(self, chunk: bytes) -> None:
        """Take note of `chunk`, at once and without I/O."""
        ...


class GuardedTap:
    """A tap whose failure is its own: it is dropped for this exchange and logged once."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self.dropped = False
        """The tap has failed and sees no more."""

    def feed(self, chunk: bytes) -> None:
        if self.dropped:
            return
        try:
            self._tap.feed(chunk)
        except Exception:
            self.dropped = True
            log.exception("tap dropped", extra={"fields": {"tap": type(self._tap).__name__}})
