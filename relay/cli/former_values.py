"""What `config cc init` replaced, remembered in the state folder.

`claude-code.json` there holds one entry for each settings file, under its path. The values may be
credentials of the user, so the file is for its owner alone.
"""

import os
from pathlib import Path
from typing import Final

from relay.cli.claude_settings import Remembered, Settings
from relay.cli.exact_json import Json, NotJson, parse, serialize
from relay.cli.refused import Refused
from relay.cli.replace_file import make_folder, replace_file

_FILE: Final = "claude-code.json"


def recall(folder: Path, settings: Path) -> Remembered | None:
    """What was replaced in this settings file, or None if nothing is known."""
    entry = _entries(folder).get(_name(settings))
    if not isinstance(entry, dict):
        return None
    url, former = entry.get("url"), entry.get("former")
    if not isinstance(url, str) or not isinstance(former, dict):
        return None
    return Remembered(url, former)


def store(folder: Path, settings: Path, remembered: Remembered | None) -> None:
    """Remember for this settings file, or forget with None."""
    entries = _entries(folder)
    before = dict(entries)
    if remembered is None:
        entries.pop(_name(settings), None)
    else:
        entries[_name(settings)] = {"url": remembered.url, "former": remembered.former}
    if entries != before:
        make_folder(folder)
        replace_file(folder / _FILE, serialize(entries).encode())


def _entries(folder: Path) -> Settings:
    path = folder / _FILE
    try:
        entries: Json = parse(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (NotJson, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read ({error}); remove it to go on without") from error
    if not isinstance(entries, dict):
        raise Refused(f"{path}: holds no object; remove it to go on without")
    return entries


def _name(settings: Path) -> str:
    return os.path.realpath(settings)
