"""What a section of the file is: a marshmallow schema beside the dataclass it fills.

Loading a section gives a mapping of checked values with every default filled in; `made` turns it
into the dataclass once the whole file is known to be right. A key without a value (`auth:` with
everything below it commented out) counts as not given.
"""

import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, pre_load, validates_schema

from relay.config.schema.setting import Setting


class Section(Schema):
    """A mapping of the file. The docstring's first line is its description in the reference."""

    fills: ClassVar[type[Any] | None] = None
    """The dataclass with the same field names; none where values need something from elsewhere."""
    tolerant: ClassVar[bool] = False
    """Whether keys beyond the declared ones are simply not looked at."""

    error_messages = {"type": "must be a mapping of keys to values"}  # noqa: RUF012 - as marshmallow

    class Meta:
        unknown = EXCLUDE  # `_known` refuses them, with the nearest name

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").partition("\n")[0]

    def settings(self) -> Iterator[tuple[str, Setting[Any]]]:
        """The keys in the order they are described."""
        for name, field in self.fields.items():
            if isinstance(field, Setting):
                yield name, field

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> Any:
        """The value of a section whose parts are made already. Overridden where names differ."""
        return cls.fills(**values) if cls.fills else dict(values)

    @pre_load
    def _given(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _known(self, _: Any, original: Any, **__: Any) -> None:
        if self.tolerant or not isinstance(original, Mapping):
            return
        faults: dict[str, Any] = {
            str(key): [self._unknown(str(key))] for key in original if key not in self.fields
        }
        if faults:
            raise ValidationError(faults)

    def _unknown(self, key: str) -> str:
        near = difflib.get_close_matches(key, list(self.fields), n=1, cutoff=0.5)
        if near:
            return f'unknown key, did you mean "{near[0]}"?'
        return f"unknown key (known here: {', '.join(self.fields)})"


@functools.cache
def described(section: type[Section]) -> Section:
    """The one instance of a section: it holds no state, and making one copies all its fields."""
    return section()


def loaded(section: type[Section], value: object) -> dict[str, Any]:
    """The checked values of a section.

    Raises: `ValidationError`, with the values that are right as `valid_data`.
    """
    values: dict[str, Any] = described(section).load(value)  # type: ignore[arg-type]  # checks it
    return values


def made(section: type[Section], values: Mapping[str, Any]) -> Any:
    """The dataclass (or mapping) of checked values, its inner sections first."""
    parts = dict(values)
    for name, setting in described(section).settings():
        inner: type[Section] | None = getattr(setting, "section", None)
        if inner is not None and isinstance(parts[name], dict):
            parts[name] = made(inner, parts[name])
    return section.make(parts)
