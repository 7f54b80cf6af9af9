"""The store of one machine: LMDB in a folder, shared by all workers, with nothing to start.

Each step is one LMDB transaction: a read waits for nobody, a write for the write that goes on. No
greenlet switches inside. The environment is opened by the first step of each process, and closed
before a fork, so that no child inherits its parent's.

A fault of the store is no fault of the request: what can be mended is mended, and the step is made
again. What is damaged is set aside for an empty store (`environment`); what is full loses what has
run out, then what ends soonest (`records`). What cannot be mended, a folder that is not writable
or a full disk, is `StoreAway` at once for some seconds, until it is tried again.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, NoReturn, ParamSpec, TypeVar

import lmdb

from relay.clock import Clock, SystemClock
from relay.state.environment import (
    DAMAGE,
    PAGE_BYTES,
    Environment,
    Files,
    files_of,
    open_environment,
)
from relay.state.records import Records
from relay.state.steps import Steps
from relay.state.store import StoreAway

log = logging.getLogger("relay.state")

MAP_BYTES: Final = 64 << 20
# What live records may take of it: a change is written beside what it replaces, and pages of one
# size leave gaps for another.
_ROOM: Final = 0.75
# A new record makes room for itself, and a little more; one of the largest needs more tries.
_DROP_EACH: Final = 8
_DROP_MANY: Final = 1000
# How long a store that is away stays so; and how often one that is open is looked at.
_AWAY_S: Final = 3.0
_LOOK_S: Final = 2.0
_CHECK_READERS: Final = 15  # looks
_TRIES: Final = 3

P = ParamSpec("P")
R = TypeVar("R")
_Step = Callable[Concatenate["LmdbStore", P], R]


def _mended(step: Callable[Concatenate[Steps, P], R]) -> _Step[P, R]:
    """The step, made again when what it failed of is mended: it was undone each time."""

    def make(store: "LmdbStore", /, *args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES - 1):
            try:
                return step(store, *args, **kwargs)
            except lmdb.Error as error:
                store.mend(error)
        try:
            return step(store, *args, **kwargs)
        except lmdb.Error as error:
            raise StoreAway(str(error)) from error

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
        self.most_pages = int(map_bytes * _ROOM) // PAGE_BYTES
        """What live records may take."""
        self._clock = clock or SystemClock()
        self._opened: Environment | None = None
        self._look_at = 0.0
        self._looks = 0
        self._away = ""
        self._away_until = 0.0
        self._full_said = False
        self._damaged: tuple[Files, str] | None = None
        self._pid = os.getpid()
        self._lock = threading.RLock()  # opening and letting go, between threads

    def begin(self, *, write: bool) -> "_Transaction":
        """As `Steps.begin`; also raises `lmdb.Error`, which `mend` takes."""
        opened = self._opened
        if (
            opened is None
            or opened.closed
            or opened.pid != os.getpid()
            or self._clock.monotonic() >= self._look_at
        ):
            opened = self._ready()
        return _Transaction(self, opened, self._clock, write=write)

    take = _mended(Steps.take)
    settle = _mended(Steps.settle)
    bound = _mended(Steps.bound)
    renew = _mended(Steps.renew)
    hold = _mended(Steps.hold)
    let_go = _mended(Steps.let_go)
    count = _mended(Steps.count)
    swap = _mended(Steps.swap)
    look = _mended(Steps.look)
    loads = _mended(Steps.loads)
    remember = _mended(Steps.remember)
    recall = _mended(Steps.recall)
    now = _mended(Steps.now)

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
                opened.check_readers(self._folder)
            elif isinstance(error, DAMAGE):
                self._discard(str(error))
            elif isinstance(error, lmdb.PanicError | lmdb.BadRslotError | lmdb.BadTxnError):
                self._discard()
            elif "closed" in str(error):
                self.close()  # another store of this process has mended it
            else:
                self.stay_away(error)
        except (lmdb.Error, OSError) as second:
            self.stay_away(second)

    def say_full(self) -> None:
        """Once a process."""
        if not self._full_said:
            self._full_said = True
            log.warning(
                "store is full: dropping what ends soonest",
                extra={"fields": {"folder": str(self._folder), "bytes": self._map_bytes}},
            )

    def _make_room(self) -> None:
        """The map is full in the middle of a step, which is undone."""
        opened = self._ready()
        opened.check_readers(self._folder)
        opened.lock()
        try:
            looked_at = 1
            while looked_at:
                with opened.env.begin(write=True) as txn:
                    if opened.pages(txn) < self.most_pages // 2:
                        break
                    looked_at = Records(txn, self._clock, write=True).drop(_DROP_MANY)
            opened.settle()
        finally:
            opened.unlock()
        self.say_full()

    def _discard(self, why: str = "") -> None:
        if self._opened:
            self._damaged = (self._opened.files, why) if why else None
            self._opened.discard()
        self.close()

    def stay_away(self, error: Exception) -> NoReturn:
        """Be away for a while. Raises: `StoreAway`."""
        if not self._away:
            log.warning(
                "store is away",
                extra={"fields": {"folder": str(self._folder), "reason": str(error)}},
            )
        self._away = str(error) or type(error).__name__
        self._away_until = self._clock.monotonic() + _AWAY_S
        self.close()
        raise StoreAway(self._away) from error

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
            opened.check_readers(self._folder)

    def _open(self) -> Environment:
        now = self._clock.monotonic()
        if self._away and now < self._away_until:
            raise StoreAway(self._away)
        try:
            opened = open_environment(self._folder, self._map_bytes, self._damaged)
        except (OSError, lmdb.Error) as error:
            self.stay_away(error)
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


class _Transaction:
    """One LMDB transaction as a `with`."""

    __slots__ = ("_opened", "_store", "_table", "_txn", "_write")

    def __init__(self, store: LmdbStore, opened: Environment, clock: Clock, *, write: bool) -> None:
        self._store = store
        self._opened = opened
        self._write = write
        if write:
            self._lock()
        try:
            self._txn = opened.env.begin(write=write)
        except BaseException:
            self._unlock()
            raise
        self._table = Records(self._txn, clock, write=write)

    def __enter__(self) -> Records:
        return self._table

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_full = False
        try:
            if error is None and self._write:
                is_full = self._table.added > 0 and self._make_room()
                self._txn.commit()
        finally:
            self._txn.abort()  # which does nothing after a commit
            self._unlock()
        if is_full:
            self._store.say_full()

    def _make_room(self) -> bool:
        """Whether there was none."""
        self._table.sweep()
        if self._opened.pages(self._txn) <= self._store.most_pages:
            return False
        self._table.drop(_DROP_EACH * self._table.added)
        return True

    def _lock(self) -> None:
        try:
            self._opened.lock()
        except (TimeoutError, OSError) as error:
            self._store.stay_away(error)

    def _unlock(self) -> None:
        if self._write:
            self._opened.unlock()
