"""Where a value stands in a configuration file, and how that is written for people.

A place is the keys and list positions that lead to the value:
`("providers", 2, "keys", 0, "rpm_limit")` is written `providers[2].keys[0].rpm_limit`.
"""

import json
import re
from typing import Final, TypeAlias

Place: TypeAlias = tuple[str | int, ...]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")


def written(place: Place) -> str:
    """The place as it stands in faults: a key that is no plain word stands in quotes."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text
