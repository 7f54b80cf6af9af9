"""The store of one machine: LMDB in a folder, shared by all workers, with nothing to start.

Each step is one LMDB transaction: a read waits for nobody, a write for the write that goes on. No
greenlet switches inside. The environment is opened by the first step of each process, and closed
before a fork, so that no child inherits its parent's.

A fault of the store is no fault of the request: what can be mended is mended, and the step is made
again. What is damaged is set aside for an empty store (`environment`); what is full loses what has
run out, then what ends soonest (`records`). What cannot be mended, a folder that is not writable
or a full disk, is `StoreAway` at once for some seconds, until it is tried again; a writer that was
stopped in the middle, for a quarter of a second.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Concatenate, Final, NoReturn, ParamSpec, TypeVar

import lmdb

from relay.clock import Clock, SystemClock
from relay.state.environment import (
    DAMAGE,
    Environment,
    Files,
    Stopped,
    files_of,
    open_environment,
)
from relay.state.records import Records, key_of, read
from relay.state.steps import RECORD, Steps
from relay.state.store import Claim, Full, Looked, StoreAway, Taken

log = logging.getLogger("relay.state")

# A file that grows as it is needed. With 64 MiB it was full after 105 000 remembered signatures.
MAP_BYTES: Final = 256 << 20
# Where the map is full in the middle of a step, so many are dropped at once, until it is filled no
# more than that.
_DROP_MANY: Final = 1000
_ENOUGH: Final = 0.5
# How long a store that is away stays so. A writer that was stopped in the middle goes on soon, as a
# rule; while it does not, each time is twice as long, for each costs everybody a wait.
_AWAY_S: Final = 3.0
_BRIEFLY_S: Final = 0.25
# How often one that is open is looked at.
_LOOK_S: Final = 2.0
_CHECK_READERS: Final = 15  # looks
_TRIES: Final = 3
# The same records are looked at again and again.
_KEYS: Final = 1024


P = ParamSpec("P")
R = TypeVar("R")
_Step = Callable[Concatenate["LmdbStore", P], R]


def _mended(step: Callable[Concatenate[Steps, P], R]) -> _Step[P, R]:
    """The step, made again when what it failed of is mended: it was undone each time."""

    def make(store: "LmdbStore", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return step(store, *args, **kwargs)
        except lmdb.Error as error:
            failed = error
        for _ in range(_TRIES - 1):
            store.mend(failed)
            try:
                return step(store, *args, **kwargs)
            except lmdb.Error as error:
                failed = error
        raise StoreAway(str(failed)) from failed

    make.__doc__ = step.__doc__
    return make


class LmdbStore(Steps):
    """A store in `folder`, which is made when it is not there: 0700, its files 0600."""

    def __init__(
        self, folder: Path, map_bytes: int = MAP_BYTES, clock: Clock | None = None
    ) -> None:
        super().__init__()
        self._folder = folder
        self._map_bytes = map_bytes
        self._clock = clock or SystemClock()
        self._opened: Environment | None = None
        self._look_at = 0.0
        self._looks = 0
        self._away = ""
        self._away_until = 0.0
        self._briefly_s = _BRIEFLY_S
        self._damaged: tuple[Files, str] | None = None
        self._pid = os.getpid()
        self._lock = threading.RLock()  # opening and letting go, between threads

    def begin(self, *, write: bool) -> Records:
        """As `Steps.begin`; also raises `lmdb.Error`, which `mend` takes."""
        opened = self._opened
        if opened is None or opened.closed or self._clock.monotonic() >= self._look_at:
            opened = self._ready()
        try:
            return Records(opened, self._clock, write=write)
        except OSError as error:
            self._stay_away(error)

    rooms = _mended(Steps.rooms)
    bound = _mended(Steps.bound)
    renew = _mended(Steps.renew)
    hold = _mended(Steps.hold)
    held = _mended(Steps.held)
    let_go = _mended(Steps.let_go)
    count = _mended(Steps.count)
    swap = _mended(Steps.swap)
    loads = _mended(Steps.loads)
    remember = _mended(Steps.remember)
    recall = _mended(Steps.recall)
    now = _mended(Steps.now)

    # What each request asks for does without the wrapper. An error will be met again, and mended.

    def take(self, choices: Sequence[Sequence[Claim]], *, by_room: bool = False) -> Taken | Full:
        """As `Store.take`."""
        try:
            return Steps.take(self, choices, by_room=by_room)
        except lmdb.Error:
            return self._take_mended(choices, by_room=by_room)

    def settle(
        self, taken: Taken, amounts: Sequence[int], look: Sequence[str] = ()
    ) -> list[bytes | None]:
        """As `Store.settle`."""
        try:
            return Steps.settle(self, taken, amounts, look)
        except lmdb.Error:
            return self._settle_mended(taken, amounts, look)

    def look(self, names: Sequence[str]) -> Looked:
        """As `Store.look`: twice for each request, so it does without a table, too."""
        opened = self._opened
        if opened is not None and not opened.closed and self._clock.monotonic() < self._look_at:
            try:
                return read(opened.env, self._clock, map(_looked_key, names))
            except lmdb.Error:
                pass
        return self._look_mended(names)

    _take_mended = _mended(Steps.take)
    _settle_mended = _mended(Steps.settle)
    _look_mended = _mended(Steps.look)

    def close(self) -> None:
        """As `Store.close`. A step after it opens the store again."""
        with self._own_lock():
            self._let_go()

    def mend(self, error: lmdb.Error) -> None:
        """Do what makes another try worth it. Raises: `StoreAway` when there is nothing."""
        opened = self._opened
        try:
            if isinstance(error, lmdb.MapFullError | lmdb.TxnFullError):
                self._make_room()
            elif isinstance(error, lmdb.MapResizedError) and opened:
                opened.env.set_mapsize(0)  # a worker with a larger bound: it holds for all
            elif isinstance(error, lmdb.ReadersFullError) and opened:
                opened.check_readers()
            elif isinstance(error, DAMAGE):
                self._discard(str(error))
            elif isinstance(error, lmdb.PanicError | lmdb.BadRslotError | lmdb.BadTxnError):
                self._discard()
            elif "closed" in str(error):
                self.close()  # another store of this process has mended it
            else:
                self._stay_away(error)
        except (lmdb.Error, OSError) as second:
            self._stay_away(second)

    def _make_room(self) -> None:
        """The map is full in the middle of a step, which is undone."""
        opened = self._ready()
        opened.check_readers()
        looked_at = 1
        while looked_at:
            with Records(opened, self._clock, write=True) as table:
                looked_at = table.drop(_DROP_MANY) if table.filled() > _ENOUGH else 0
        opened.settle()
        opened.say_full()

    def _discard(self, why: str = "") -> None:
        if self._opened:
            self._damaged = (self._opened.files, why) if why else None
            self._opened.discard()
        self.close()

    def _stay_away(self, error: Exception) -> NoReturn:
        """Be away for a while. Raises: `StoreAway`."""
        if not self._away:
            log.warning(
                "store is away",
                extra={"fields": {"folder": str(self._folder), "reason": str(error)}},
            )
        self._away = str(error) or type(error).__name__
        self._away_until = self._clock.monotonic() + self._away_s(error)
        self.close()
        raise StoreAway(self._away) from error

    def _away_s(self, error: Exception) -> float:
        if not isinstance(error, Stopped):
            return _AWAY_S
        is_again = self._clock.monotonic() < self._away_until + _BRIEFLY_S
        self._briefly_s = min(2 * self._briefly_s, _AWAY_S) if is_again else _BRIEFLY_S
        return self._briefly_s

    def _ready(self) -> Environment:
        """The environment of this process, looked at now and then."""
        with self._own_lock():
            self._look()
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _own_lock(self) -> AbstractContextManager[bool]:
        if self._pid != os.getpid():  # a thread that is not here may have held the old one
            self._pid, self._lock = os.getpid(), threading.RLock()
        return self._lock

    def _look(self) -> None:
        """Let go of what is a parent's, or no longer what stands in the folder."""
        opened = self._opened
        if opened is None:
            return
        self._look_at = self._clock.monotonic() + _LOOK_S
        self._looks += 1
        if opened.closed or files_of(self._folder) != opened.files:
            self._let_go()
        elif self._looks % _CHECK_READERS == 0:
            opened.check_readers()

    def _open(self) -> Environment:
        now = self._clock.monotonic()
        if self._away and now < self._away_until:
            raise StoreAway(self._away)
        try:
            opened = open_environment(self._folder, self._map_bytes, self._damaged)
        except (OSError, lmdb.Error) as error:
            self._stay_away(error)
        self._damaged, self._look_at = None, now + _LOOK_S
        for note in opened.notes:
            log.warning("store set aside, starting empty", extra={"fields": {"reason": note}})
        if self._away:
            self._away = ""
            log.info("store is back", extra={"fields": {"folder": str(self._folder)}})
        return opened

    def _let_go(self) -> None:
        opened, self._opened = self._opened, None
        if opened:
            opened.close()


@lru_cache(_KEYS)
def _looked_key(name: str) -> bytes:
    return key_of(RECORD + name)
