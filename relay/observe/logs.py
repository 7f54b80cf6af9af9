"""The log of the relay: one record, one line, one write.

    logging.getLogger("relay.…") ─► LineHandler ─► event ─► layout ─► redact ─► os.write

Modules log a constant message and fields; a field that is None is left out:

    log.info("config loaded", extra={"fields": {"path": path, "warnings": None}})

Worker processes share the output; a line is handed over in one write, so lines of two workers do
not mix. Nothing that goes wrong with the output reaches whoever logs.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType
from typing import Final, Literal

from relay.observe import layout
from relay.observe.layout import Event, Layout
from relay.observe.redact import Redactor
from relay.secret import Secret

LOGGER: Final = "relay"

_LOGGER: Final = logging.getLogger(LOGGER)
_LOGGING: Final = vars(logging)

Level = Literal["debug", "info", "warn", "error"]
Format = Literal["", "json", "console"]

_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_STANDARD: Final[Mapping[str, int]] = {"stdout": 1, "stderr": 2}


def configure(*, level: Level, format: Format, output: str, secrets: Iterable[Secret] = ()) -> None:
    """Put the settings of `logging:` in force; again at every reload.

    `output` is `stdout`, `stderr` or a path, which is opened anew, so a reload follows a rotated
    file. Where it cannot be opened the log goes to stderr and begins by saying so. `secrets` are
    credentials and URLs that hold one; they never stand in a line.
    """
    opened = _open(output)
    handler = LineHandler(opened.fd, _layout(format, opened.fd), Redactor(secrets))
    handler.owns_fd = opened.is_ours
    old = [each for each in _LOGGER.handlers if isinstance(each, LineHandler)]
    _LOGGER.handlers = [each for each in _LOGGER.handlers if each not in old] + [handler]
    _LOGGER.setLevel(_LEVELS[level])
    _LOGGER.propagate = False
    for each in old:
        each.close()
    if opened.fault:
        _LOGGER.error(
            "log output cannot be opened, writing to stderr",
            extra={"fields": {"output": output, "reason": opened.fault}},
        )


def sole_handler(logger: logging.Logger, level: int) -> "LineHandler | None":
    """The handler that would write a record of `logger` and be the only one to see it.

    None as soon as the loggers are not as `configure` left them: where somebody else has a handler,
    a filter or a hook, a record has to take the long way.
    """
    ours = _LOGGER.handlers
    is_untouched = (
        logger.parent is _LOGGER
        and logger.propagate
        and not (logger.handlers or logger.filters or _LOGGER.propagate)
        and len(ours) == 1
        and _walks_plainly(logger)
    )
    if is_untouched and type(handler := ours[0]) is LineHandler:
        return handler if handler.level <= level and not handler.filters else None
    return None


def _walks_plainly(logger: logging.Logger) -> bool:
    # Error trackers put a function of theirs in its place, often before we are imported.
    walk = type(logger).callHandlers
    return type(walk) is FunctionType and walk.__globals__ is _LOGGING


class LineHandler(logging.Handler):
    """Writes each record as one line to one descriptor."""

    def __init__(self, fd: int, layout: Layout, redactor: Redactor) -> None:
        super().__init__()
        self.owns_fd = False
        """Whether `close` closes the descriptor."""
        self._fd = fd
        self._layout = layout
        self._redactor = redactor
        self._is_torn = False

    def createLock(self) -> None:  # noqa: N802  the name is logging's
        """No lock: a line is one write, and nothing here switches greenlets."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Lay out, redact if need be, write. Raises nothing over a broken output."""
        event = _event(record)
        line = self._layout(event)
        if self._redactor.is_concerned(line):
            line = self._layout(_redacted(event, self._redactor))
        self._write(line)

    def say(self, event: Event, *, fresh: str, recurring: str) -> None:
        """The same for an event all of whose text is also in `fresh` and `recurring`.

        What recurs is searched for secrets once, so the search costs next to nothing.
        """
        if self._redactor.is_concerned(fresh) or self._redactor.is_concerned_again(recurring):
            event = _redacted(event, self._redactor)
        self._write(self._layout(event))

    def close(self) -> None:
        """Write no more; a line being written is finished first. Idempotent."""
        self.acquire()
        try:
            fd, self._fd = self._fd, -1
            if self.owns_fd and fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        finally:
            self.release()
        super().close()

    def _write(self, text: str) -> None:
        line = f"{text}\n".encode("utf-8", "backslashreplace")
        if self._is_torn:  # half a line stands there: end it, so that this one can be read
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            # Disk full, nobody reading, closed: the exchange matters more than its line.
            self._is_torn = self._is_torn or written > 0
        else:
            self._is_torn = False


@dataclass(frozen=True, slots=True)
class _Output:
    fd: int
    is_ours: bool = False
    fault: str = ""


def _open(output: str) -> _Output:
    standard = _STANDARD.get(output)
    if standard is not None:
        return _Output(standard)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return _Output(os.open(output, flags, 0o600), is_ours=True)
    except OSError as error:
        return _Output(_STANDARD["stderr"], fault=error.strerror or type(error).__name__)


def _layout(format: Format, fd: int) -> Layout:
    is_terminal = False
    with suppress(OSError):
        is_terminal = os.isatty(fd)
    if format == "json" or (format == "" and not is_terminal):
        return layout.json_line
    if is_terminal and not os.environ.get("NO_COLOR"):  # https://no-color.org
        return layout.coloured_line
    return layout.console_line


def _event(record: logging.LogRecord) -> Event:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the text
        message = str(record.msg)
    given = record.__dict__.get("fields") or {}
    return Event(
        level=record.levelno,
        at=record.created,
        message=message,
        fields={name: value for name, value in given.items() if value is not None},
        traceback=_traceback(record),
    )


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def _redacted(event: Event, redactor: Redactor) -> Event:
    return Event(
        level=event.level,
        at=event.at,
        message=redactor.text(event.message),
        fields={
            name: redactor.value(value) for name, value in layout.mapping(event.fields).items()
        },
        traceback=redactor.text(event.traceback),
    )
