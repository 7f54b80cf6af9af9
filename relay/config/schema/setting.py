"""What a key of the file is: a marshmallow field that also knows how to describe itself.

A setting reads a parsed value into the one it stands for, says in a sentence what is wrong with a
value it refuses, and gives its line of the reference and its part of the JSON schema. Strings are
taken for numbers and switches too, because a variable can only hold a string.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

from marshmallow import fields, missing

from relay.config.findings import REQUIRED

T = TypeVar("T")

JsonSchema = dict[str, Any]

# Longer values are cut when a fault quotes them.
_QUOTED_CHARS: Final = 80

# In the JSON schema a variable may stand for anything that is no string itself.
VARIABLE: Final[JsonSchema] = {"type": "string", "pattern": r"\$"}

UNSET: Final = missing
"""The default of a required setting: none."""


class Setting(fields.Field[T], Generic[T]):
    """One key. `default` of None means that the value is worked out when the file is loaded."""

    kind: ClassVar[str]
    """The type, as the reference calls it."""
    default_error_messages = {"required": REQUIRED}  # noqa: RUF012 - as marshmallow declares it

    def __init__(
        self,
        doc: str,
        *,
        default: Any = UNSET,
        shown_default: str | None = None,
        refused: str = "",
        **options: Any,
    ) -> None:
        super().__init__(load_default=default, required=default is UNSET, **options)
        self.doc = doc
        self.shown_default = shown_default
        self._refused = refused

    @abstractmethod
    def read(self, value: Any) -> T:
        """The value a parsed one stands for.

        Raises: `ValidationError`, with the value and the rule it breaks.
        """

    @abstractmethod
    def json_schema(self) -> JsonSchema:
        """What an editor may accept here."""

    def bounds(self) -> str:
        """What is refused beyond values of another type, in words; "" for nothing."""
        return ""

    def refusals(self) -> str:
        """The last column of the reference."""
        parts = ["missing" if self.required else "", self.bounds(), self._refused]
        return "; ".join(part for part in parts if part)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> T:
        del attr, data, kwargs
        return self.read(value)


def quoted(value: object) -> str:
    """A value that is no secret, as a fault shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    # str() of a huge int raises; nothing that long is quoted whole anyway.
    text = "a huge number" if isinstance(value, int) and value.bit_length() > 256 else str(value)  # noqa: PLR2004
    cut = f"{text[:_QUOTED_CHARS]}…" if len(text) > _QUOTED_CHARS else text
    if not isinstance(value, str):
        return cut
    return '"' + "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut) + '"'
