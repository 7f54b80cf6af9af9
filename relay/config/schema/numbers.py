"""Settings that are numbers: counts, durations, ratios."""

from typing import Any, Final

from marshmallow import ValidationError

from relay.config.schema.setting import VARIABLE, JsonSchema, Setting, quoted

# Ten years. More cannot be meant, and the clocks of an event loop overflow soon after.
LONGEST_MS: Final = 315_360_000_000


class Whole(Setting[int]):
    """A whole number. `zero` is what 0 stands for, where it stands for the default."""

    kind = "int"

    def __init__(
        self,
        doc: str,
        *,
        least: int = 0,
        most: int = 2**53,
        zero: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(doc, **options)
        self._least, self._most, self._zero = least, most, zero

    def read(self, value: Any) -> int:
        number = _whole(value)
        if number < self._least:
            raise ValidationError(f"{number} must be at least {self._least}")
        if number > self._most:
            raise ValidationError(f"{quoted(number)} must be at most {self._most}")
        return number or self._zero

    def bounds(self) -> str:
        most = f"; > {self._most}" if self._most < LONGEST_MS else ""
        return f"< {self._least}{most}"

    def json_schema(self) -> JsonSchema:
        number = {"type": "integer", "minimum": self._least, "maximum": self._most}
        return {"anyOf": [number, VARIABLE]}


class Millis(Whole):
    """A duration in milliseconds."""

    kind = "int ms"

    def __init__(self, doc: str, *, most: int = LONGEST_MS, **options: Any) -> None:
        super().__init__(doc, most=most, **options)


class Ratio(Setting[float]):
    """A number between 0 and `most`."""

    kind = "float"

    def __init__(self, doc: str, *, most: float, **options: Any) -> None:
        super().__init__(doc, **options)
        self._most = most

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValidationError(f"{quoted(value)} is not a number")
        try:
            number = float(value)
        except (ValueError, OverflowError) as error:
            raise ValidationError(f"{quoted(value)} is not a number") from error
        if not 0 <= number <= self._most:  # also false for nan
            raise ValidationError(f"{quoted(value)} must be between 0 and {self._most:g}")
        return number

    def bounds(self) -> str:
        return f"< 0; > {self._most:g}"

    def json_schema(self) -> JsonSchema:
        number = {"type": "number", "minimum": 0, "maximum": self._most}
        return {"anyOf": [number, VARIABLE]}


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        # int() would take "1_000" and Arabic digits as well; a mistyped number must not become one.
        if isinstance(value, str) and value.strip().lstrip("+-").isascii() and "_" not in value:
            return int(value)
    except ValueError:
        pass
    raise ValidationError(f"{quoted(value)} is not a whole number")
