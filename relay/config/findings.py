"""What a load found wrong (faults) and what it wants said (warnings), each with its place.

A fault about a value that is empty because of a variable names the variable, so that nobody looks
for the mistake in the file. No text here ever holds a secret; that is on whoever reports.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.config.place import Place, written

REQUIRED: Final = "is required"
"""The one fault that is written without a colon: `server.listen is required`."""


class Findings:
    """Collects faults and warnings in the order they are met, each once."""

    def __init__(self, hints: Mapping[Place, Sequence[str]] | None = None) -> None:
        """`hints` says, per place, which variables were found missing: `ZAI_KEY is not set`."""
        self._hints = dict(hints or {})
        self._faults: dict[str, None] = {}
        self._warnings: dict[str, None] = {}
        self._faulty: set[Place] = set()

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that stops the file from being used, as `PATH: what is wrong`."""
        return tuple(self._faults)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is said once and stops nothing, as `PATH: text`."""
        return tuple(self._warnings)

    def refuse(self, place: Place, text: str, *, because: Place | None = None) -> None:
        """Report a fault. `because` is the place whose variables explain it, if not its own.

        A value that is missing because of a fault of its own is not reported as missing as well.
        """
        if text.startswith(REQUIRED) and place in self._faulty:
            return
        self._faulty.add(place)
        joint = " " if text.startswith(REQUIRED) else ": "
        reason = "; ".join(self._hints.get(place if because is None else because, ()))
        self._faults[f"{written(place)}{joint}{text}{f' ({reason})' if reason else ''}"] = None

    def warn(self, place: Place, text: str) -> None:
        """Report what does not stop the load."""
        self._warnings[f"{written(place)}: {text}"] = None

    def is_faulty(self, place: Place) -> bool:
        """Whether the value at this place has a fault, so that nothing can be told from it."""
        return place in self._faulty

    def hint(self, place: Place) -> str:
        """Why the value at this place is empty, or "" if no variable is behind it."""
        return "; ".join(self._hints.get(place, ()))
