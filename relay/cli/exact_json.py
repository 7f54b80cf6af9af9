"""JSON read and written again without losing anything: settings that belong to somebody else.

Numbers keep their text (integers of any size, `1e400`, `-0.0`), members their order. What would
be lost in silence (two members of one name) is refused. Written with two spaces of indent, text
unescaped, and a final newline.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stood in the text."""

    text: str


Json = dict[str, "Json"] | list["Json"] | str | Number | bool | None


class NotJson(ValueError):
    """The text is no JSON, or none that can be written again as it was."""


def parse(text: str) -> Json:
    """Read one document. Raises: `NotJson`, saying where and why."""
    try:
        value: Json = json.loads(
            text,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_members,
        )
        serialize(value)  # what cannot be written is refused before anything is changed
    except json.JSONDecodeError as error:
        raise NotJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise NotJson("is nested too deeply") from error
    return value


def serialize(value: Json) -> str:
    """The document as text, with a final newline."""
    return _written(value, "\n") + "\n"


def _written(value: Json, line: str) -> str:
    """`line` is a line break and the indent of what `value` stands in."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        members = (f"{_quoted(key)}: {_written(item, line + '  ')}" for key, item in value.items())
        return _enclosed("{", members, "}", line)
    if isinstance(value, list):
        return _enclosed("[", (_written(item, line + "  ") for item in value), "]", line)
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _enclosed(left: str, items: Any, right: str, line: str) -> str:
    inner = f",{line}  ".join(items)
    return f"{left}{line}  {inner}{line}{right}" if inner else left + right


def _quoted(text: str) -> str:
    # Half a surrogate pair is legal in JSON as an escape, and has no UTF-8.
    return _SURROGATE.sub(
        lambda half: f"\\u{ord(half.group()):04x}", json.dumps(text, ensure_ascii=False)
    )


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"{json.dumps(twice)} stands twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON value")
