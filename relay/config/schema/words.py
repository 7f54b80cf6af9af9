"""Settings that are words: switches, choices, strings, secrets."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import ValidationError

from relay.config.findings import REQUIRED
from relay.config.schema.setting import VARIABLE, JsonSchema, Setting, quoted
from relay.secret import Secret

_SWITCH_WORDS: Final[Mapping[str, bool]] = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Switch(Setting[bool]):
    """True or false."""

    kind = "bool"

    def read(self, value: Any) -> bool:
        switch = as_switch(value)
        if switch is None:
            raise ValidationError(f"{quoted(value)} is not true or false")
        return switch

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "boolean"}, VARIABLE]}


class SwitchOrAuto(Setting[bool | str]):
    """True, false, or `auto`, which is worked out at load."""

    kind = "bool or `auto`"

    def read(self, value: Any) -> bool | str:
        if isinstance(value, str) and value.lower() == "auto":
            return "auto"
        switch = as_switch(value)
        if switch is None:
            raise ValidationError(f"{quoted(value)} is not true, false or auto")
        return switch

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "boolean"}, {"const": "auto"}, VARIABLE]}


class Text(Setting[str]):
    """A string that may be shown. `rule` gives what is wrong with it, or None."""

    kind = "str"

    def __init__(
        self, doc: str, *, rule: Callable[[str], str | None] | None = None, **options: Any
    ) -> None:
        super().__init__(doc, **options)
        self._rule = rule

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"{quoted(value)} is not a string (put it in quotes)")
        if self.required and not value:
            raise ValidationError(REQUIRED)
        fault = self._rule(value) if self._rule else None
        if fault is not None:
            raise ValidationError(f"{quoted(value)} {fault}")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}


class Location(Text):
    """A path; a relative one is resolved from the folder of the configuration file."""

    kind = "path"

    def read(self, value: Any) -> str:
        text = super().read(value)
        if "\0" in text:
            raise ValidationError(f"{quoted(text)} is no path")
        return text


class Hidden(Setting[Secret]):
    """A string that is never shown, not even when it is wrong."""

    kind = "secret str"

    def __init__(
        self, doc: str, *, rule: Callable[[str], str | None] | None = None, **options: Any
    ) -> None:
        super().__init__(doc, **options)
        self._rule = rule

    def read(self, value: Any) -> Secret:
        if not isinstance(value, str):
            raise ValidationError("is not a string (put it in quotes)")
        fault = self._rule(value) if self._rule else None
        if fault is not None:
            raise ValidationError(fault)
        return Secret(value)

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}


class Word(Setting[str]):
    """One of a few words."""

    kind = "str"

    def __init__(
        self, doc: str, *, words: tuple[str, ...], any_case: bool = False, **options: Any
    ) -> None:
        super().__init__(doc, **options)
        self._words = words
        self._any_case = any_case

    def read(self, value: Any) -> str:
        if self.required and value == "":
            raise ValidationError(REQUIRED)
        word = value.lower() if self._any_case and isinstance(value, str) else value
        if not isinstance(word, str) or word not in self._words:
            raise ValidationError(f"{quoted(value)} must be one of {self._listed()}")
        return word

    def bounds(self) -> str:
        return f"none of {self._listed('`')}"

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"enum": list(self._words)}, VARIABLE]}

    def _listed(self, mark: str = "") -> str:
        return ", ".join(f"{mark}{word}{mark}" for word in self._words if word)


def as_switch(value: object) -> bool | None:
    """The switch a value stands for, or None if it is none."""
    if isinstance(value, bool):
        return value
    return _SWITCH_WORDS.get(value.lower()) if isinstance(value, str) else None
