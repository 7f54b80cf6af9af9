"""Records: the table of one LMDB transaction: records with their ends, and which ends come next.

    NAME                  end, due, record        a long name keeps its head and a hash
    \\0 due NAME           nothing                 facts, by when they are due
    \\1 due NAME           nothing                 all others, by when they are due
    \\2clock               store time, monotonic time of the same moment

A record is looked at when it is due, and dropped if it has run out; one that was put again
meanwhile becomes due at its new end. So what is put a hundred times a second is written to the
index once in its time, and dropping never searches. It is done by whoever adds a record: a few
each, more than was added, so that what has run out never piles up.
"""

import struct
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice, takewhile
from math import ceil
from types import TracebackType
from typing import Any, Final, Self

import lmdb

from relay.clock import Clock
from relay.state.environment import Environment
from relay.state.store import Looked

_HEAD: Final = struct.Struct("<dI")  # Unix seconds of its end; the second in which it is due
_HEAD_BYTES: Final = _HEAD.size
_DUE: Final = struct.Struct(">BI")
_FACTS, _OTHERS = 0, 1
_LAST_DUE: Final = 2**32 - 1
_CLOCK: Final = b"\2clock"
_CLOCKS: Final = struct.Struct("<dd")
# The machine's two clocks are read one after the other; what is less than this is no step.
_JITTER_S: Final = 0.002
# LMDB takes keys of 511 bytes; the index has 5 in front. A hashed name is longer than any other.
_MAX_NAME: Final = 500
_HASH_BYTES: Final = 32
_A_FEW: Final = 4
# A new record makes room for itself, and a little more; one of the largest needs more tries.
_DROP_EACH: Final = 8
_ABSENT: Final = -1


class Records:
    """One LMDB transaction as a `with`, and its records as `Table`.

    One that writes waits for its turn. Raises: `Stopped` when others do not go on.
    """

    __slots__ = ("_added", "_met", "_now", "_opened", "_txn", "_write")

    def __init__(self, opened: Environment, clock: Clock, *, write: bool) -> None:
        self._opened = opened
        self._write = write
        self._met: dict[str, tuple[bytes, int]] = {}  # keys, and when they are due
        self._added = 0
        # Any: as its types have it, a value might be a view, for which nobody asks.
        self._txn: Any = None
        if write:
            opened.lock()
        try:
            self._txn = opened.env.begin(write=write)
            wall, monotonic = clock.wall(), clock.monotonic()
            self._now, is_old = _goes_on(self._txn.get(_CLOCK), wall, monotonic)
            if is_old and write:
                self._txn.put(_CLOCK, _CLOCKS.pack(self._now, monotonic))
        except BaseException:
            if self._txn:
                self._txn.abort()
            if write:
                opened.unlock()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._write:
            self._txn.abort()
            return
        is_full = False
        try:
            if error is None:
                if self._added:
                    is_full = self._make_room()
                self._txn.commit()
            else:
                self._txn.abort()
        except BaseException:
            self._txn.abort()
            raise
        finally:
            self._opened.unlock()
        if is_full:
            self._opened.say_full()

    def now(self) -> float:
        """As `Table.now`."""
        return self._now

    def get(self, name: str) -> bytes | None:
        """As `Table.get`."""
        key = name.encode("utf-8", "surrogatepass")
        if len(key) >= _MAX_NAME:
            key = _shortened(key)
        kept: bytes | None = self._txn.get(key)
        if kept is None:
            self._met[name] = key, _ABSENT
            return None
        end, due = _HEAD.unpack_from(kept)
        self._met[name] = key, due
        return kept[_HEAD_BYTES:] if end > self._now else None

    def put(self, name: str, record: bytes, ttl_s: float) -> None:
        """As `Table.put`."""
        key, due = self._met.get(name) or self._meet(name)
        end = self._now + ttl_s
        if due == _ABSENT:
            due = _due(end)
            self._met[name] = key, due
            self._txn.put(_index(key, due), b"")
            self._added += 1
        self._txn.put(key, _HEAD.pack(end, due) + record)

    def remove(self, name: str) -> None:
        """As `Table.remove`."""
        key, due = self._met.get(name) or self._meet(name)
        if due != _ABSENT:
            self._txn.delete(key)
            self._txn.delete(_index(key, due))
            self._met[name] = key, _ABSENT

    def filled(self) -> float:
        """As `Environment.filled`."""
        return self._opened.filled(self._txn)

    def drop(self, most: int) -> int:
        """Drop up to `most` records: what has run out, facts that end soonest, others that do.

        Never what this transaction has met: windows end soon, and one that is dropped as soon as it
        is counted would let everything through. Returns how many there were to look at.
        """
        now = int(self._now)
        found = [
            *islice(self._indexed(_OTHERS, now), most),
            *islice(self._indexed(_FACTS, _LAST_DUE), most),
        ] or list(islice(self._indexed(_OTHERS, _LAST_DUE), most))
        for index in found[:most]:
            self._drop(index, _DUE.unpack_from(index)[1])
        return len(found[:most])

    def _meet(self, name: str) -> tuple[bytes, int]:
        self.get(name)
        return self._met[name]

    def _make_room(self) -> bool:
        """Drop what has run out, `_A_FEW` for each new record; whether more had to go."""
        now = int(self._now)
        for kind in (_FACTS, _OTHERS):
            for index in list(islice(self._indexed(kind, now), self._added * _A_FEW)):
                self._drop(index, now)
        if self.filled() <= 1:
            return False
        self.drop(_DROP_EACH * self._added)
        return True

    def _indexed(self, kind: int, until: int) -> Iterator[bytes]:
        cursor = self._txn.cursor()
        if not cursor.set_range(bytes([kind])):
            return iter(())
        last = _DUE.pack(kind, until)
        keys = takewhile(
            lambda key: key[: _DUE.size] <= last, map(bytes, cursor.iternext(values=False))
        )
        met = {key for key, _ in self._met.values()}
        return (key for key in keys if key[_DUE.size :] not in met)

    def _drop(self, index: bytes, until: int) -> None:
        """Drop the record, if that is when it ends; else it is due later."""
        self._txn.delete(index)
        key = index[_DUE.size :]
        kept = self._txn.get(key)
        if kept is None:
            return
        end = _HEAD.unpack_from(kept)[0]
        due = _due(end)
        if due <= until:
            self._txn.delete(key)
            return
        self._txn.put(key, _HEAD.pack(end, due) + kept[_HEAD_BYTES:])
        self._txn.put(_index(key, due), b"")


def read(env: lmdb.Environment, clock: Clock, keys: Iterable[bytes]) -> Looked:
    """As `now` and `get` of a transaction that does nothing else, in half their time."""
    txn: Any = env.begin()  # Any: as above
    try:
        get = txn.get
        now, _ = _goes_on(get(_CLOCK), clock.wall(), clock.monotonic())
        records = []
        for key in keys:
            kept = get(key)
            if kept is not None:
                kept = kept[_HEAD_BYTES:] if _HEAD.unpack_from(kept)[0] > now else None
            records.append(kept)
    finally:
        txn.abort()
    return Looked(now, records)


def key_of(name: str) -> bytes:
    """What a record's name is in LMDB."""
    key = name.encode("utf-8", "surrogatepass")
    return key if len(key) < _MAX_NAME else _shortened(key)


def _goes_on(clocks: bytes | None, wall: float, monotonic: float) -> tuple[float, bool]:
    """The time of the store, and whether what is written of it has to be written anew.

    Wall time, but on from where it was, at the pace of monotonic time, after a step back. If it
    stood still until the clock had caught up, no window would empty until then. Linux's monotonic
    clock is one for all processes, so they agree without writing anything. Only a step forward is
    written, or a restart of the machine, which begins that clock anew.
    """
    if clocks is None or len(clocks) != _CLOCKS.size:
        return wall, True
    then, at = _CLOCKS.unpack(clocks)
    if monotonic < at:
        return max(wall, then), True
    now = then + monotonic - at
    return (wall, wall > now + _JITTER_S) if wall > now else (now, False)


def _shortened(key: bytes) -> bytes:
    return key[: _MAX_NAME - _HASH_BYTES] + blake2b(key, digest_size=_HASH_BYTES).digest()


def _due(end: float) -> int:
    return min(max(ceil(end), 0), _LAST_DUE)


def _index(key: bytes, due: int) -> bytes:
    return _DUE.pack(_FACTS if key.startswith(b"f:") else _OTHERS, due) + key
