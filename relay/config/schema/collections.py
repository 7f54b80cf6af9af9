"""Settings that hold others: lists of names, maps, sections and lists of sections."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError

from relay.config.schema.section import Section, loaded
from relay.config.schema.setting import JsonSchema, Setting, quoted


class Names(Setting[tuple[str, ...]]):
    """A list of strings, none empty."""

    kind = "list of str"

    def read(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError(f"{quoted(value)} is not a list of strings")
        faults: dict[Any, Any] = {
            index: [f"{quoted(item)} is not a non-empty string"]
            for index, item in enumerate(value)
            if not isinstance(item, str) or not item
        }
        if faults:
            raise ValidationError(faults)
        return tuple(value)

    def bounds(self) -> str:
        return "an empty name"

    def json_schema(self) -> JsonSchema:
        return {"type": ["array", "null"], "items": {"type": "string", "minLength": 1}}


class Renames(Setting[dict[str, str]]):
    """A map of strings to strings, no side empty."""

    kind = "map str→str"

    def read(self, value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError(f"{quoted(value)} is not a map of strings to strings")
        faults: dict[Any, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str) or not key:
                faults[str(key)] = [f"the key {quoted(key)} is not a non-empty string"]
            elif not isinstance(item, str) or not item:
                faults[key] = [f"{quoted(item)} is not a non-empty string"]
        if faults:
            raise ValidationError(faults)
        return dict(value)

    def bounds(self) -> str:
        return "an empty name on either side"

    def json_schema(self) -> JsonSchema:
        return {"type": ["object", "null"], "additionalProperties": {"type": "string"}}


class Numbers(Setting[tuple[int, ...]]):
    """A list of exactly `count` whole numbers, rising."""

    kind = "list of int"

    def __init__(self, doc: str, *, count: int, **options: Any) -> None:
        super().__init__(doc, **options)
        self._count = count

    def read(self, value: Any) -> tuple[int, ...]:
        fits = isinstance(value, list) and len(value) == self._count
        if not fits or any(type(item) is not int or item < 0 for item in value):
            raise ValidationError(f"must be a list of {self._count} whole numbers")
        if sorted(value) != value:
            raise ValidationError("the numbers must rise")
        return tuple(value)

    def json_schema(self) -> JsonSchema:
        return {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": self._count,
            "maxItems": self._count,
        }


class Part(Setting[dict[str, Any]]):
    """A section inside another one; a missing one is one with nothing in it."""

    kind = "section"

    def __init__(self, section: type[Section]) -> None:
        super().__init__(section.summary(), default=lambda: loaded(section, {}))
        self.section = section

    def read(self, value: Any) -> dict[str, Any]:
        return loaded(self.section, value)

    def json_schema(self) -> JsonSchema:
        return {}  # the sections are written by the reference, which follows them


class Parts(Setting[list[dict[str, Any]]]):
    """A list of sections. `choose` picks the section for one entry, where they differ."""

    kind = "list of sections"

    def __init__(
        self,
        section: type[Section],
        *,
        choose: Callable[[object], type[Section]] | None = None,
    ) -> None:
        super().__init__(section.summary(), default=list)
        self.section = section
        self._choose = choose or (lambda _: section)

    def read(self, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise ValidationError(f"{type_name(value)}, must be a list")
        entries: list[dict[str, Any]] = []
        faults: dict[Any, Any] = {}
        for index, entry in enumerate(value):
            try:
                entries.append(loaded(self._choose(entry), {} if entry is None else entry))
            except ValidationError as error:
                faults[index] = error.messages
                # Kept in its place, so that the checks across keys count like the file does.
                entries.append(error.valid_data if isinstance(error.valid_data, dict) else {})
        if faults:
            raise ValidationError(faults, valid_data=entries)
        return entries

    def json_schema(self) -> JsonSchema:
        return {}  # as for `Part`


def type_name(value: object) -> str:
    """The type of a value that may be a secret, in a fault instead of the value."""
    if isinstance(value, Mapping):
        return "is a mapping"
    words = {list: "is a list", str: "is a string", bool: "is true or false", type(None): "is null"}
    return words.get(type(value), "is a number")
