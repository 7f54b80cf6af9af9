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
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice, takewhile
from math import ceil
from typing import Final

import lmdb

from relay.clock import Clock

_HEAD: Final = struct.Struct("<dI")  # Unix seconds of its end; the second in which it is due
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


class Records:
    """As `Table`, over one transaction; commit and abort are the caller's."""

    __slots__ = ("_clock", "_now", "_put", "_txn", "_write", "added")

    def __init__(self, txn: lmdb.Transaction, clock: Clock, *, write: bool) -> None:
        self._txn = txn
        self._clock = clock
        self._write = write
        self._now = 0.0
        self._put: set[bytes] = set()
        self.added = 0
        """How many records are new."""

    def get(self, name: str) -> bytes | None:
        """As `Table.get`."""
        kept = self._txn.get(_key(name))
        if kept is None or _HEAD.unpack_from(kept)[0] <= self.now():
            return None
        return bytes(kept[_HEAD.size :])

    def put(self, name: str, record: bytes, ttl_s: float) -> None:
        """As `Table.put`."""
        key = _key(name)
        end = self.now() + ttl_s
        kept = self._txn.get(key)
        if kept is None:
            due = _due(end)
            self._txn.put(_index(key, due), b"")
            self.added += 1
        else:
            due = _HEAD.unpack_from(kept)[1]
        self._txn.put(key, _HEAD.pack(end, due) + record)
        self._put.add(key)

    def remove(self, name: str) -> None:
        """As `Table.remove`."""
        key = _key(name)
        kept = self._txn.pop(key)
        if kept is not None:
            self._txn.delete(_index(key, _HEAD.unpack_from(kept)[1]))

    def now(self) -> float:
        """Wall time, but on from where it was, at the pace of monotonic time, after a step back.

        If it stood still until the clock had caught up, no window would empty until then. Linux's
        monotonic clock is one for all processes, so they agree without writing anything. Only a
        step forward is written, or a restart of the machine, which begins that clock anew.
        """
        if not self._now:
            wall, monotonic = self._clock.wall(), self._clock.monotonic()
            clocks = self._txn.get(_CLOCK)
            then, at = _CLOCKS.unpack(clocks) if clocks else (0.0, monotonic)
            now = then + max(monotonic - at, 0.0)
            if self._write and (wall > now + _JITTER_S or monotonic < at):
                self._txn.put(_CLOCK, _CLOCKS.pack(max(wall, now), monotonic))
            self._now = max(wall, now)
        return self._now

    def sweep(self) -> None:
        """Drop what has run out, `_A_FEW` for each record that is new."""
        now = int(self.now())
        for kind in (_FACTS, _OTHERS):
            for index in list(islice(self._indexed(kind, now), self.added * _A_FEW)):
                self._drop(index, now)

    def drop(self, most: int) -> int:
        """Drop up to `most` records: what has run out, facts that end soonest, others that do.

        Never what this transaction has put: windows end soon, and one that is dropped as soon as it
        is counted would let everything through. Returns how many there were to look at.
        """
        now = int(self.now())
        found = [
            *islice(self._indexed(_OTHERS, now), most),
            *islice(self._indexed(_FACTS, _LAST_DUE), most),
        ] or list(islice(self._indexed(_OTHERS, _LAST_DUE), most))
        for index in found[:most]:
            self._drop(index, _DUE.unpack_from(index)[1])
        return len(found[:most])

    def _indexed(self, kind: int, until: int) -> Iterator[bytes]:
        cursor = self._txn.cursor()
        if not cursor.set_range(bytes([kind])):
            return iter(())
        last = _DUE.pack(kind, until)
        keys = takewhile(
            lambda key: key[: _DUE.size] <= last, map(bytes, cursor.iternext(values=False))
        )
        return (key for key in keys if key[_DUE.size :] not in self._put)

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
        self._txn.put(key, _HEAD.pack(end, due) + kept[_HEAD.size :])
        self._txn.put(_index(key, due), b"")


def _key(name: str) -> bytes:
    key = name.encode("utf-8", "surrogatepass")
    if len(key) < _MAX_NAME:
        return key
    return key[: _MAX_NAME - _HASH_BYTES] + blake2b(key, digest_size=_HASH_BYTES).digest()


def _due(end: float) -> int:
    return min(max(ceil(end), 0), _LAST_DUE)


def _index(key: bytes, due: int) -> bytes:
    return _DUE.pack(_FACTS if key.startswith(b"f:") else _OTHERS, due) + key
