"""Redis scripts: every step of the store as Redis is asked for it (`lua/`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from relay.state.resp import word

_STEPS: Final = (
    "take",
    "rooms",
    "settle",
    "bound",
    "hold",
    "held",
    "let_go",
    "renew",
    "count",
    "swap",
    "look",
    "loads",
    "remember",
    "recall",
    "now",
)
# What scripts begin with; an order in which each finds what it needs.
_SHARED: Final[Mapping[str, Sequence[str]]] = {
    "take": ("clock", "window", "marks", "weigh"),
    "rooms": ("clock", "window", "marks", "weigh"),
    "settle": ("clock", "window", "marks", "many"),
    "bound": ("clock", "window"),
    "hold": ("clock",),
    "held": ("clock",),
    "renew": ("clock", "marks"),
    "look": ("clock", "many"),
    "loads": ("clock", "marks"),
    "recall": ("many",),
    "now": ("clock",),
}


@dataclass(frozen=True, slots=True)
class Script:
    """One step."""

    by_hash: bytes
    """The first two words of the command."""
    whole: bytes
    """The same for a Redis that does not have the script; it keeps it then."""


def scripts() -> Mapping[str, Script]:
    """The scripts by the names of their steps."""
    folder = resources.files("relay.state") / "lua"

    def text(name: str) -> bytes:
        return (folder / f"{name}.lua").read_bytes()

    return {step: _script(b"".join(map(text, (*_SHARED.get(step, ()), step)))) for step in _STEPS}


def _script(text: bytes) -> Script:
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()  # what Redis calls it
    return Script(
        by_hash=word(b"EVALSHA") + word(digest.encode()),
        whole=word(b"EVAL") + word(text),
    )
