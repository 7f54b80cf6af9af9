"""Parse a configuration file into plain values: text in, mapping out, nothing expanded yet.

YAML is read with the safe loader, and a key that stands twice in one mapping is refused, because
a loader that keeps the last one hides half of somebody's file. Every fault names the line; a
quoted line is shown only where it cannot hold a secret.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

FORMATS: Final = (".yaml", ".yml", ".toml")

# A configuration is a few kilobytes; anything much larger is the wrong file.
MAX_FILE_BYTES: Final = 4 << 20

_SECRET_LINE: Final = re.compile(
    r"key|token|secret|password|passwd|credential|authorization|bearer|://|@|sk-", re.IGNORECASE
)
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_TOO_DEEP: Final = "is nested too deeply to be a configuration"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """The file cannot be turned into a mapping; the message says why, without its path."""


def parse(path: Path) -> Mapping[str, object]:
    """The mapping a file holds.

    Raises: `Unreadable` for a missing file, an unknown format, a syntax error, and a file that
    is empty or no mapping.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise Unreadable(
            f'unsupported config format "{path.suffix}" (supported: {", ".join(FORMATS)})'
        )
    text = _text(path)
    try:
        document = _toml(text) if suffix == ".toml" else _yaml(text)
    except RecursionError as error:
        raise Unreadable(_TOO_DEEP) from error
    if document is None:
        raise Unreadable("the file is empty; `cc-relay config init` writes one to start from")
    if not isinstance(document, dict):
        raise Unreadable("the top level must be a mapping of sections (server, providers, …)")
    return document


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise Unreadable("is not a regular file")
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"line {line}: is not UTF-8 (byte 0x{content[error.start]:02x})"
        ) from error


def _toml(text: str) -> object:
    try:
        return tomllib.loads(text) or None
    except ValueError as error:
        # The message of tomllib names line and column and never a value.
        raise Unreadable(f"is not valid TOML: {error}{_toml_line(text, str(error))}") from error


def _toml_line(text: str, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    return _quoted(text, int(found[1]) - 1) if found else ""


def _yaml(text: str) -> object:
    try:
        return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_explained(error, text)) from error
    except yaml.YAMLError as error:
        raise Unreadable(f"is not valid YAML: {_unmarked(error)}") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        # The loader does not wrap what its constructors raise for `2026-13-45` or `!!bool maybe`;
        # their text quotes the value.
        raise Unreadable("is not valid YAML: a number, date or tag cannot be read") from error


def _explained(error: yaml.MarkedYAMLError, text: str) -> str:
    # Only the parser's own words: constructor errors may quote a value.
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "cannot be parsed"
    if mark is None:
        return f"is not valid YAML: {problem}"
    place = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{place}: {problem}{_quoted(text, mark.line)}{_hint(text, mark.line)}"


def _unmarked(error: yaml.YAMLError) -> str:
    position = getattr(error, "position", None)
    if position is None:
        return "cannot be parsed"
    return f"a character that may not stand in YAML, at position {position}"


def _quoted(text: str, index: int) -> str:
    """The line, for the reader's eye, unless anything in it looks like a credential."""
    lines = text.splitlines()
    line = lines[index].strip() if index < len(lines) else ""
    if not line or _SECRET_LINE.search(line) or _LONG_WORD.search(line):
        return ""
    return f" in `{line[:80]}`"


def _hint(text: str, index: int) -> str:
    """The way out of what every second author of a flow mapping meets: `{key: ${NAME}}`."""
    lines = text.splitlines()[: index + 1]
    if lines and re.search(r"[{\[].*[:,\[]\s*\$\{", lines[-1]):
        return " (inside { } and [ ] a ${NAME} must stand in quotes)"
    return ""


class _UniqueKeys(_Loader):  # type: ignore[misc]  # the C loader where PyYAML was built with it
    """The safe loader, refusing a key that stands twice in one mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            name = (key.tag, key.value)
            if name in seen:
                problem = f'the key "{key.value}" is given twice (first on line {seen[name]})'
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)
