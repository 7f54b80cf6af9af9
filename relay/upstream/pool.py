"""Idle connections, kept for the next request to the same origin.

Last in, first out: the connection used last is the likeliest to be open still, and the surplus of
a burst ages at the bottom until it expires. A connection serves the thread that made it, because
its socket belongs to that thread's event loop; so each thread has a shelf of its own. When a thread
ends its shelf is emptied and its event loop ends, which gevent leaves to whoever used it
(`gevent.hub.Hub.destroy`): the threads of `flask run` live for one request.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import gevent
from gevent.monkey import get_original

from relay.clock import Clock
from relay.upstream.connection import Connection
from relay.upstream.target import Origin

# Well below the 60 s after which the most impatient edges close an idle connection.
IDLE_S: Final = 50.0
# How often the shelf is looked through for connections that the upstream has closed.
_SWEEP_S: Final = 10.0
# A burst of this many calls leaves all its connections to the next one.
MAX_IDLE: Final = 256


class Timer(Protocol):
    """A timer of the event loop."""

    def start(self, callback: Callable[[], None]) -> None:
        """Begin to call, at each interval."""
        ...

    def close(self) -> None:
        """Stop, and let the loop forget it."""
        ...


class Pool:
    """The idle connections of one client."""

    def __init__(self, *, max_idle: int, clock: Clock, idle_s: float = IDLE_S) -> None:
        self._max_idle = max_idle
        self._clock = clock
        self._idle_s = idle_s
        self._is_open = True

    def __repr__(self) -> str:
        shelf = _this_thread().shelves.get(self)
        stacks = shelf.stacks.items() if shelf else ()
        return f"Pool({', '.join(f'{origin}: {len(stack)}' for origin, stack in stacks if stack)})"

    def take(self, origin: Origin) -> Connection | None:
        """An idle connection that is open as far as can be seen; the caller owns it."""
        return self._shelf().take(origin) if self._is_open else None

    def give_back(self, connection: Connection) -> None:
        """Keep a connection that stands between two exchanges; close it when there is no room."""
        shelf = self._shelf() if self._is_open and connection.is_at_home() else None
        if shelf is not None and shelf.count < self._max_idle:
            shelf.put(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close this thread's idle connections and keep no more; other threads' expire."""
        self._is_open = False
        shelf = _this_thread().shelves.pop(self, None)
        if shelf is not None:
            shelf.clear()

    def _shelf(self) -> "Shelf":
        shelves = _this_thread().shelves
        shelf = shelves.get(self)
        if shelf is None:
            shelf = shelves[self] = Shelf(self._idle_s, self._clock)
        return shelf


class Shelf:
    """The idle connections of one client in one thread."""

    def __init__(self, idle_s: float, clock: Clock) -> None:
        self.stacks: dict[Origin, list[Connection]] = {}
        self.count = 0
        self._idle_s = idle_s
        self._clock = clock
        self._timer: Timer | None = None

    def take(self, origin: Origin) -> Connection | None:
        """The connection used last that is still usable."""
        stack = self.stacks.get(origin)
        while stack:
            connection = stack.pop()
            self.count -= 1
            if self._is_usable(connection):
                return connection
            connection.close()
        return None

    def put(self, connection: Connection) -> None:
        """Put it on top."""
        connection.idle_since = self._clock.monotonic()
        self.stacks.setdefault(connection.origin, []).append(connection)
        self.count += 1
        if self._timer is None:
            # `ref`: it does not keep the event loop, and so the process, alive.
            self._timer = gevent.get_hub().loop.timer(_SWEEP_S, _SWEEP_S, ref=False)
            self._timer.start(self.sweep)

    def sweep(self) -> None:
        """Close what has expired or was closed by the upstream. Never waits."""
        for origin, stack in list(self.stacks.items()):
            usable = [connection for connection in stack if self._is_usable(connection)]
            for connection in set(stack).difference(usable):
                connection.close()
            self.count -= len(stack) - len(usable)
            self.stacks[origin] = usable
            if not usable:
                del self.stacks[origin]
        if not self.count:
            self._rest()

    def clear(self) -> None:
        """Close everything."""
        for stack in self.stacks.values():
            for connection in stack:
                connection.close()
        self.stacks.clear()
        self.count = 0
        self._rest()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _is_usable(self, connection: Connection) -> bool:
        age_s = self._clock.monotonic() - connection.idle_since
        return age_s < self._idle_s and connection.is_quiet()


class _Thread:
    """What one thread keeps; goes with the thread."""

    def __init__(self) -> None:
        self.hub = gevent.get_hub()
        self.shelves: dict[Pool, Shelf] = {}

    def __del__(self) -> None:
        loop: Any = self.hub.loop  # None once destroyed, whatever its stubs say
        if loop is None or loop.default:  # ended already, or the main thread's: ends with all
            return
        for shelf in self.shelves.values():
            shelf.clear()
        self.hub.destroy(destroy_loop=True)


# The real thread-local, also when gevent has replaced it by one that is local to greenlets.
_local: Final = get_original("threading", "local")()


def _this_thread() -> _Thread:
    thread = getattr(_local, "thread", None)
    if thread is None or thread.hub is not gevent.get_hub():
        thread = _local.thread = _Thread()
    return cast("_Thread", thread)
