"""Watch one configuration file by its content, and say when it has changed and come to rest.

    look every 0.25 s ──► differs from what was reported? ──► wait until it stays the same for 0.2 s
                                                             ──► on_change()

A rename over the file, a symlink swap and an edit in place are all seen, because what is compared
is what the path leads to; other files of the folder are not looked at. A missing or unreadable
file is a content like any other, so it is reported once. Nothing is loaded here.
"""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.clock import Clock, SystemClock

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.25

# Writes closer together than this are one change (behaviour 13.1).
SETTLE_S: Final = 0.2

# A file that is written without pause is reported all the same, so that a change is in force
# within a second: a quarter to see it, this, and the load.
MAX_SETTLE_S: Final = 0.5

_SETTLE_LOOK_S: Final = 0.05

# File systems keep times in ticks: a file written twice within one has the same time twice, so a
# time this young proves nothing.
_YOUNG_S: Final = 2.0


class ConfigWatch:
    """Calls `on_change` once for every settled change, from a thread of its own.

    What stands in the file when the watch is made counts as known: make it before loading, and
    no change is lost in between. Under gevent the thread is a greenlet.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[], None],
        *,
        interval_s: float = INTERVAL_S,
        clock: Clock | None = None,
    ) -> None:
        self._on_change = on_change
        self._interval_s = interval_s
        self._clock = clock or SystemClock()
        self._looker = _Looker(path, self._clock)
        self._reported = self._looker.look()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin watching. A second call does nothing."""
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._run, name="config-watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop watching; `on_change` is not called any more. Idempotent."""
        self._closed.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=MAX_SETTLE_S + self._interval_s)

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            try:
                self._look()
            except Exception:
                # A background loop: whatever a reload raises, the next change is still seen.
                log.exception("config watch failed")

    def _look(self) -> None:
        if self._looker.look() == self._reported:
            return
        content = self._settled()
        if content == self._reported or self._closed.is_set():
            return
        self._reported = content
        self._on_change()

    def _settled(self) -> str:
        """The content, once it has stayed the same for `SETTLE_S`."""
        began = since = self._clock.monotonic()
        content = self._looker.look()
        while not self._closed.wait(_SETTLE_LOOK_S):
            now = self._clock.monotonic()
            latest = self._looker.look()
            if latest != content:
                content, since = latest, now
            elif now - since >= SETTLE_S:
                break
            if now - began >= MAX_SETTLE_S:
                break
        return content


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What the file system says about a file; the same stamp on an older file, the same file."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class _Looker:
    """Gives a short word for the content behind a path, reading the file only when it must."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._stamp: _Stamp | None = None
        self._content = ""

    def look(self) -> str:
        """A digest of the content, or the reason why there is none."""
        stamp = self._stamped()
        if stamp is None or stamp != self._stamp or self._is_young(stamp):
            self._stamp, self._content = stamp, self._read()
        return self._content

    def _stamped(self) -> _Stamp | None:
        with contextlib.suppress(OSError):
            found = self._path.stat()
            return _Stamp(
                found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
            )
        return None

    def _is_young(self, stamp: _Stamp) -> bool:
        newest_s = max(stamp.modified_ns, stamp.changed_ns) / 1e9
        return self._clock.wall() - newest_s < _YOUNG_S

    def _read(self) -> str:
        try:
            if self._path.exists() and not self._path.is_file():
                return "not a file"  # reading a pipe would wait for its writer
            return hashlib.blake2b(self._path.read_bytes()).hexdigest()
        except OSError as error:
            return f"unreadable: {error.errno}"
