"""Put variables and files into string values, after parsing.

    ${NAME}  $NAME     the variable, or "" when it is not set (the name is remembered)
    ${NAME:-default}   the variable, or `default` when it is not set or empty
    $$                 one `$`
    ${file:/path}      as the whole value: the content of a file without its final newline

A `$` that begins none of these stays. What is put in is not looked at again, so quotes, colons,
newlines and `$` in a variable's value survive. Keys of mappings are not expanded.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.config.place import Place

# Far more than any configuration has; a YAML alias that contains itself would go on for ever.
MAX_DEPTH: Final = 32

# Keys and certificates are a few kilobytes.
MAX_FILE_BYTES: Final = 1 << 20

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_FORMS: Final = re.compile(
    rf"\$(?:(?P<dollar>\$)|\{{(?P<braced>{_NAME})(?::-(?P<default>[^}}]*))?\}}|(?P<bare>{_NAME}))"
)
_FILE: Final = re.compile(r"\$\{file:(?P<path>[^}]+)\}")


@dataclass(frozen=True, slots=True)
class Expanded:
    """A parsed file with its values filled in."""

    tree: Mapping[str, object]
    missing: Mapping[Place, tuple[str, ...]]
    """What was not there, by place: `NAME is not set`, `NAME is empty`."""
    faults: Mapping[Place, str]
    """Files that could not be read, and values that go too deep."""


def expand(tree: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> Expanded:
    """Fill in every string value. A relative `${file:…}` is taken from `folder`."""
    expansion = _Expansion(environ, folder)
    filled = {key: expansion.value(value, (str(key),)) for key, value in tree.items()}
    return Expanded(filled, expansion.missing, expansion.faults)


class _Expansion:
    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self.missing: dict[Place, tuple[str, ...]] = {}
        self.faults: dict[Place, str] = {}

    def value(self, value: object, place: Place) -> object:
        if isinstance(value, str):
            return self._string(value, place)
        if len(place) > MAX_DEPTH and isinstance(value, dict | list):
            self.faults[place[:4]] = "is nested too deeply"
            return None
        if isinstance(value, dict):
            return {key: self.value(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*place, index)) for index, item in enumerate(value)]
        return value

    def _string(self, text: str, place: Place) -> str:
        if "$" not in text:
            return text
        if file := _FILE.fullmatch(text):
            return self._file(file["path"], place)
        missing: list[str] = []
        filled = _FORMS.sub(self._filler(missing), text)
        if missing:
            self.missing[place] = tuple(dict.fromkeys(missing))
        return filled

    def _filler(self, missing: list[str]) -> Callable[[re.Match[str]], str]:
        def fill(form: re.Match[str]) -> str:
            if form["dollar"]:
                return "$"
            name = form["braced"] or form["bare"]
            found = self._environ.get(name)
            if found or form["default"] is not None:
                return found or form["default"]
            missing.append(f"{name} is not set" if found is None else f"{name} is empty")
            return ""

        return fill

    def _file(self, written: str, place: Place) -> str:
        path = self._folder / written
        try:
            return _content(path)
        except _Unfit as unfit:
            self.faults[place] = f"cannot take the value from {written}: {unfit}"
            return ""


class _Unfit(Exception):
    """A file whose content is no value; the message never holds any of it."""


def _content(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise _Unfit("is not a regular file")
        content = path.read_bytes()
    except OSError as error:
        raise _Unfit(error.strerror or "cannot be read") from error
    except ValueError as error:
        raise _Unfit("is no path") from error
    if len(content) > MAX_FILE_BYTES:
        raise _Unfit(f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise _Unfit("is not UTF-8") from None  # its own text quotes the content
    return text.removesuffix("\n").removesuffix("\r")
