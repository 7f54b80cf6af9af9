"""The settings whose feature this version does not have yet.

They are checked like all others, so that a file written for a later version loads, and whoever
sets one to more than its default is told that nothing comes of it. A version that brings a
feature takes its lines out of the table.
"""

import functools
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from relay.config.findings import Findings
from relay.config.place import Place
from relay.config.schema.file import FileSection
from relay.config.schema.routing import STRATEGIES
from relay.config.schema.section import Section, described
from relay.config.schema.setting import Setting

PENDING: Final[Mapping[str, tuple[object, ...]]] = {
    # place, `*` for whatever follows → the values that do take effect, beside the default
    "routing.strategy": (*(word for word in STRATEGIES if word != "cost_based"),),
    "providers[].drop_betas": (),
    "providers[].aws_*": (),
    "providers[].gcp_*": (),
    "providers[].azure_*": (),
    "providers[].openai.*": (),
    "metrics.*": (),
    "management.*": (),
    "ledger.*": (),
    "clients.*": (),
    "pricing*": (),
    "scenarios[].when.client": (),
}


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """Warn about every setting that was given and will do nothing."""
    for place, value, setting in _given(FileSection, values, ()):
        pattern = pending_pattern(_general(place))
        if pattern is not None and value != _default(setting) and value not in PENDING[pattern]:
            findings.warn(place, "has no effect in this version yet")


@functools.cache
def pending_pattern(place: str) -> str | None:
    """The line of the table that holds for a place written with `[]`, or None if it works."""
    # fnmatch reads brackets as a set of characters; no place holds the other one.
    plain = place.replace("[]", "()")
    return next((line for line in PENDING if fnmatchcase(plain, line.replace("[]", "()"))), None)


def _given(
    section: type[Section], values: Mapping[str, Any], place: Place
) -> Iterator[tuple[Place, Any, Setting[Any]]]:
    """Every value of a section and of those inside it; what had a fault is not there."""
    for name, setting in described(section).settings():
        if name not in values:
            continue
        inner: type[Section] | None = getattr(setting, "section", None)
        value = values[name]
        if inner is None or (isinstance(value, list) and name == "pricing"):
            yield (*place, name), value, setting
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                yield from _given(inner, entry, (*place, name, index))
        else:
            yield from _given(inner, value, (*place, name))


def _default(setting: Setting[Any]) -> object:
    default = setting.load_default
    return default() if callable(default) else default


def _general(place: Place) -> str:
    """The place as the table writes it: `providers[].keys[].rpm_limit`."""
    text = ""
    for step in place:
        text += "[]" if isinstance(step, int) else f".{step}" if text else step
    return text
