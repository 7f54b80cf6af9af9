"""Write `docs/configuration.md` and `docs/config.schema.json` from the sections, or check them.

python -m relay.config.reference write     make both files anew
python -m relay.config.reference check     exit 1 if one is not what `write` would write
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relay.config.json_schema import json_schema
from relay.config.pending import PENDING, pending_pattern
from relay.config.schema.collections import Part, Parts
from relay.config.schema.file import FileSection
from relay.config.schema.section import Section, described
from relay.config.schema.setting import Setting
from relay.config.types import LATER_TYPES, TYPES

COMMAND: Final = "python -m relay.config.reference write"

DOCS: Final = Path(__file__).parents[2] / "docs"

_INTRODUCTION: Final = f"""\
# Configuration

*Made by `{COMMAND}` from `relay/config/schema/`; edit the sections there, not this file.*

One file, YAML (`.yaml`, `.yml`) or TOML (`.toml`). The first of these is used: `--config PATH`;
`CC_RELAY_CONFIG`; `config.yaml`, `config.yml`, `config.toml` in the working folder; the same three
names in `$XDG_CONFIG_HOME/cc-relay/` (by default `~/.config/cc-relay/`). `cc-relay config init`
writes one to start from, `cc-relay config validate` checks it, `cc-relay config show` prints what
is in force. [config.schema.json](config.schema.json) describes the file to editors.

## Values

| written | is |
|---|---|
| `${{NAME}}`, `$NAME` | the environment variable; empty if it is not set |
| `${{NAME:-default}}` | the variable, or `default` if it is not set or empty |
| `$$` | one `$` |
| `${{file:/path}}` | as the whole value: the content of the file, without its final newline |

Variables are put in after the file is parsed, so a value may hold quotes, colons, newlines and
`$`. Numbers and switches may come from variables (`"${{LIMIT}}"`). Durations are milliseconds. A
relative path is taken from the folder of the configuration file. A key without a value counts as
not given. Everything else is checked: unknown keys, types and bounds, all faults at once, each
with its path.

Of a provider with `enabled: false` only `name` and `type` are checked. This version serves the
types {", ".join(f"`{name}`" for name in TYPES)}; {", ".join(f"`{name}`" for name in LATER_TYPES)}
are known and not served yet. Settings marked *not yet* are checked, and have no effect in this
version; one that is set gives a warning.

Files of the Go cc-relay load; what has no meaning here gives a warning each.

A running relay takes over changes within a second. `server.listen`, `server.workers` and
`state.*` need a restart. A file with a fault changes nothing.
"""


def markdown() -> str:
    """The reference for people."""
    return "\n".join((_INTRODUCTION, *_tables(FileSection, "")))


def schema_text() -> str:
    """The JSON schema as it stands in the file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def documents(folder: Path) -> Mapping[Path, str]:
    """Every generated file with its content."""
    return {
        folder / "configuration.md": markdown(),
        folder / "config.schema.json": schema_text(),
    }


def main(arguments: Sequence[str], folder: Path = DOCS) -> int:
    """The exit code: 0 done or in step, 1 drifted, 2 wrong usage."""
    match arguments:
        case ["write"]:
            for path, text in documents(folder).items():
                path.write_text(text, "utf-8")
            return 0
        case ["check"]:
            drifted = [path for path, text in documents(folder).items() if _content(path) != text]
            for path in drifted:
                sys.stderr.write(f"docs/{path.name} has drifted from the sections: {COMMAND}\n")
            return 1 if drifted else 0
    sys.stderr.write("usage: python -m relay.config.reference write|check\n")
    return 2


def _content(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _tables(section: type[Section], place: str) -> Iterator[str]:
    """The table of a section, then those of the sections in it."""
    settings = list(described(section).settings())
    rows = [
        _row(name, setting, f"{place}{name}")
        for name, setting in settings
        if not isinstance(setting, Part | Parts)
    ]
    if rows:
        yield "| key | type | default | meaning | refused when |"
        yield "|---|---|---|---|---|"
        yield from rows
        yield ""
    for name, setting in settings:
        if isinstance(setting, Part | Parts):
            inner = f"{place}{name}{'[]' if isinstance(setting, Parts) else ''}"
            yield f"{'###' if place else '##'} `{inner}`"
            yield ""
            yield setting.doc
            yield ""
            yield from _tables(setting.section, f"{inner}.")


def _row(name: str, setting: Setting[Any], place: str) -> str:
    pattern = pending_pattern(place)
    doc = setting.doc + (" (*not yet*)" if pattern and not PENDING[pattern] else "")
    cells = (f"`{name}`", setting.kind, _default(setting), doc, setting.refusals() or "-")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(setting: Setting[Any]) -> str:
    if setting.shown_default is not None:
        return setting.shown_default
    if setting.required:
        return "required"
    default = setting.load_default
    value = default() if callable(default) else default
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value:
        return f"`{value}`"
    return json.dumps(list(value) if isinstance(value, tuple) else value, default=lambda _: "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
