"""How a log record looks as a line: JSON for machines, console for people.

A line is a line whatever is in it: control characters, which could forge lines or drive a
terminal, are escaped. Only a traceback on the console spans several.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias, cast

import msgspec

Fields: TypeAlias = Mapping[str, object] | msgspec.Struct
"""What a line tells besides its message. A struct leaves out what has its default."""


class Event(msgspec.Struct, frozen=True):
    """A log record, ready to be laid out."""

    level: int
    at: float
    """Unix seconds."""
    message: str
    fields: Fields
    traceback: str = ""


Layout: TypeAlias = Callable[[Event], str]

_WORDS: Final[Mapping[int, tuple[str, str, str]]] = {
    logging.DEBUG: ("debug", "DBG", "36"),
    logging.INFO: ("info", "INF", "32"),
    logging.WARNING: ("warn", "WRN", "33"),
    logging.ERROR: ("error", "ERR", "31"),
}
_PLAIN: Final = re.compile(r"[^\s\"'=\\\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# C0 and C1 controls, line separators, and the marks that reverse the writing direction.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_CONTROL_IN_TRACEBACK: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
)
_RESERVED: Final = frozenset({"level", "time", "message", "exception"})


def json_line(event: Event) -> str:
    """One JSON object: `level`, `time`, `message`, the fields, `exception`.

    A field of one of these names is shown as `field_<name>`.
    """
    fields = event.fields
    if not (isinstance(fields, msgspec.Struct) or _RESERVED.isdisjoint(fields)):
        fields = {f"field_{name}" if name in _RESERVED else name: fields[name] for name in fields}
    line = (
        f'{{"level":"{_words(event.level)[0]}",'
        f'"time":"{_second(int(event.at))}.{int(event.at * 1000) % 1000:03d}Z",'
        f'"message":{_json(event.message)}'
    )
    shown = _json(fields)
    line += f",{shown[1:]}" if len(shown) > len("{}") else "}"
    if event.traceback:
        line = f'{line[:-1]},"exception":{_json(event.traceback)}}}'
    return _without_controls(line)


@lru_cache(maxsize=4)
def _second(unix_s: int) -> str:
    """Many lines share their second."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def console_line(event: Event) -> str:
    """`HH:MM:SS LVL message key=value …`, in local time."""
    return _console(event, "", "", "")


def coloured_line(event: Event) -> str:
    """The same with the level in its colour and field names dimmed."""
    return _console(event, f"\x1b[{_words(event.level)[2]}m", "\x1b[2m", "\x1b[0m")


def mapping(fields: Fields) -> Mapping[str, object]:
    """The same by name."""
    if isinstance(fields, msgspec.Struct):
        return cast("dict[str, object]", msgspec.to_builtins(fields))
    return fields


def _console(event: Event, strong: str, dim: str, end: str) -> str:
    clock = datetime.fromtimestamp(event.at).astimezone().strftime("%H:%M:%S")
    parts = [
        f"{dim}{clock}{end}",
        f"{strong}{_words(event.level)[1]}{end}",
        _CONTROL.sub(_escape, event.message),
        *(
            f"{dim}{name}={end}{_console_value(value)}"
            for name, value in mapping(event.fields).items()
        ),
    ]
    line = " ".join(parts)
    if event.traceback:
        line += "\n" + _CONTROL_IN_TRACEBACK.sub(_escape, event.traceback)
    return line


def _console_value(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return _CONTROL.sub(_escape, _json(value))


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (ValueError, TypeError):  # half a surrogate pair, keys that are no names
        shown = mapping(value) if isinstance(value, msgspec.Struct) else value
        return json.dumps(shown, default=str, skipkeys=True)


def _without_controls(line: str) -> str:
    # The expression looks at each character; mostly one of these tells at once that all are fine.
    if (line.isascii() and "\x7f" not in line) or line.isprintable():
        return line
    return _CONTROL.sub(_escape, line)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _words(level: int) -> tuple[str, str, str]:
    return _WORDS.get(level) or _WORDS[logging.ERROR if level > logging.ERROR else logging.INFO]
