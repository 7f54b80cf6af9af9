"""Whether the files and folders that are named can be used."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from relay.config.checking.providers import enabled
from relay.config.findings import Findings
from relay.config.place import Place

_STREAMS: Final = frozenset({"", "stdout", "stderr"})


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `logging.output`, `state.dir`, `ca_file`; the values are absolute by now."""
    output = values.get("logging", {}).get("output", "")
    if output not in _STREAMS:
        _check_output(Path(output), findings)
    state_dir = values.get("state", {}).get("dir", "")
    if state_dir and os.access(state_dir, os.F_OK) and not Path(state_dir).is_dir():
        findings.refuse(("state", "dir"), f'"{state_dir}" is no folder')
    for index, provider in enabled(values):
        for name in ("ca_file", "gcp_credentials_file"):
            if provider.get(name):
                _check_readable(Path(provider[name]), ("providers", index, name), findings)


def _check_output(path: Path, findings: Findings) -> None:
    place = ("logging", "output")
    exists = os.access(path, os.F_OK)
    if exists and path.is_dir():
        findings.refuse(place, f'"{path}" is a folder')
    elif not os.access(path.parent, os.F_OK):
        findings.refuse(place, f'"{path}" lies in a folder that does not exist')
    elif not os.access(path if exists else path.parent, os.W_OK):
        findings.refuse(place, f'"{path}" cannot be written')


def _check_readable(path: Path, place: Place, findings: Findings) -> None:
    # `access` first: the other question raises where a folder on the way is closed to us.
    if not os.access(path, os.R_OK):
        findings.refuse(place, f'"{path}" cannot be read')
    elif not path.is_file():
        findings.refuse(place, f'"{path}" is no file')
