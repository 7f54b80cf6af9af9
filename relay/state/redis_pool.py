"""Redis pool: the connections of one process, and whether Redis is there.

    there ──► a connection breaks or is silent ──► away: steps fail at once
      ▲                                              │
      └──── a new connection answers ◄── tried at once, then every second

Connections are opened in a thread of their own (under gevent, a greenlet): looking up a host's name
has no time limit, and who waits for it must have one.
"""

import threading
from collections.abc import Callable
from typing import Final

from relay.clock import Clock
from relay.state.redis_connection import SILENT, Address, Broken, Connection
from relay.state.store import StoreAway

# A step takes well under a millisecond, so these are enough for any worker; small plans of hosted
# Redis allow 30 connections in all.
_MOST: Final = 8
_RETRY_S: Final = 1.0
# Who was away so recently is not asked again at once: a slow Redis answers a first command in time
# and the next one late, and each such turn would cost requests the limit.
_SETTLED_S: Final = 5.0
# A connection used so recently is taken without a look; one that rested for so long, never: a
# firewall on the way may have forgotten it.
_FRESH_S: Final = 0.1
_STALE_S: Final = 60.0


class Pool:
    """Connections that are lent out. Belongs to the process that made it."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._idle: list[Connection] = []  # the last one used is used first
        self._changed = threading.Condition()
        self._waiting = 0
        self._open = 0  # idle and lent out
        self._opening = 0
        self._away = ""  # why
        self._back_at = -_SETTLED_S
        self._is_closed = threading.Event()

    def lend(self, until: float) -> Connection:
        """A connection, for `give_back`, `lose` or `drop`. Raises: `StoreAway`."""
        if self._away:
            raise StoreAway(self._away)
        return self._usable() or self._wait(until)

    def give_back(self, connection: Connection) -> None:
        """Let others use it."""
        if self._is_closed.is_set():
            self.drop(connection)
            return
        self._idle.append(connection)
        if self._is_closed.is_set():  # in between: nobody else would close it
            self._drop_idle()
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def lose(self, connection: Connection, why: str) -> None:
        """It broke: Redis is away until a new one answers."""
        self.drop(connection)
        self._go_away(why)

    def drop(self, connection: Connection) -> None:
        """Close it; others may be well."""
        connection.close()
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def close(self) -> None:
        """Close what is idle now, and the others when they are given back. Idempotent."""
        with self._changed:
            self._is_closed.set()
            self._away = "the store is closed"
            self._changed.notify_all()
        self._drop_idle()

    def _usable(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            rested_s = self._clock.monotonic() - connection.used_at
            if rested_s < _FRESH_S or (rested_s < _STALE_S and not connection.is_ended()):
                return connection
            self.drop(connection)

    def _wait(self, until: float) -> Connection:
        with self._changed:
            self._waiting += 1
            try:
                while (left_s := until - self._clock.monotonic()) > 0:
                    if self._away:
                        raise StoreAway(self._away)
                    connection = self._usable()
                    if connection:
                        return connection
                    if self._opening < min(self._waiting, _MOST - self._open):
                        self._opening += 1
                        _in_background(self._open_another)
                    self._changed.wait(left_s)
            finally:
                self._waiting -= 1
            has_none = not self._open
        if has_none:
            self._go_away(SILENT)
        raise StoreAway(SILENT if has_none else "all connections to Redis were busy")

    def _open_another(self) -> None:
        try:
            connection = self._address.open(self._clock)
        except Broken as broken:
            with self._changed:
                self._opening -= 1
                is_last = not self._open and not self._opening
                self._changed.notify_all()
            if is_last:
                self._go_away(str(broken))
            return
        with self._changed:
            self._opening -= 1
            self._open += 1
        self.give_back(connection)

    def _go_away(self, why: str) -> None:
        with self._changed:
            if self._away:
                return
            self._away = why
            self._changed.notify_all()
        self._drop_idle()
        _in_background(self._look_for_it)

    def _look_for_it(self) -> None:
        if self._clock.monotonic() - self._back_at < _SETTLED_S:
            self._is_closed.wait(_RETRY_S)
        while not self._is_closed.is_set():
            try:
                connection = self._address.open(self._clock)
            except Broken as broken:
                self._say(str(broken))
                self._is_closed.wait(_RETRY_S)
                continue
            with self._changed:
                self._open += 1
            self._back_at = self._clock.monotonic()
            self.give_back(connection)
            self._say("")
            return

    def _say(self, why: str) -> None:
        with self._changed:
            if not self._is_closed.is_set():
                self._away = why

    def _drop_idle(self) -> None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            self.drop(connection)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="cc-relay-redis", daemon=True).start()
