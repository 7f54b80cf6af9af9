"""Keeper: what running exchanges hold in the store lasts while this process lives, and no longer.

Lasting claims and half-open places run out after `HELD_S`, so that a worker that was killed leaves
nothing behind. An exchange may take longer: while anything is held, a thread of the process (under
gevent, a greenlet) renews it. It costs nothing while nobody holds anything.
"""

import _thread
import logging
import threading
from collections import Counter
from typing import Final, Protocol

from relay.state.store import HELD_S, Store

log = logging.getLogger("relay.exchange")

_EVERY_S: Final = HELD_S / 3


class Renewable(Protocol):
    """A place with an end."""

    def renew(self) -> None:
        """Put its end off."""
        ...


class Keeper:
    """Renews until it is closed. One for a process."""

    def __init__(self, store: Store, *, every_s: float = _EVERY_S) -> None:
        self._store = store
        self._every_s = every_s
        self._claims: Counter[str] = Counter()
        self._places: set[Renewable] = set()
        self._closed = threading.Event()
        self.is_running = False
        """A thread of its own renews what is held."""

    def claim(self, name: str) -> None:
        """A lasting claim by this name was taken."""
        self._claims[name] += 1
        self._start()

    def unclaim(self, name: str) -> None:
        """It is settled."""
        self._claims[name] -= 1
        if self._claims[name] <= 0:
            del self._claims[name]

    def place(self, place: Renewable) -> None:
        """This place is held."""
        self._places.add(place)
        self._start()

    def free(self, place: Renewable) -> None:
        """It no longer is."""
        self._places.discard(place)

    def close(self) -> None:
        """Renew no more. Idempotent."""
        self._closed.set()

    def _start(self) -> None:
        if not self.is_running:
            self.is_running = True
            # Not a `Thread`: it waits for its start, and whoever claims must not be let go here.
            _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            while not self._closed.wait(self._every_s) and (self._claims or self._places):
                self._renew()
        finally:
            self.is_running = False

    def _renew(self) -> None:
        renewals = [place.renew for place in tuple(self._places)]
        for renew in (self._renew_claims, *renewals):
            try:
                renew()
            except Exception:  # the others are held all the same
                log.exception("what is held could not be renewed")

    def _renew_claims(self) -> None:
        self._store.renew(dict(self._claims), (), HELD_S)
