"""Where things lie: the configuration file, and the folder of the state (contract).

The environment comes in as an argument; nothing is made here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

NAMES: Final = ("config.yaml", "config.yml", "config.toml")

APPLICATION: Final = "cc-relay"


def config_folder(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/cc-relay`, by default under `~/.config`."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / APPLICATION


def state_folder(environ: Mapping[str, str]) -> Path:
    """`CC_RELAY_STATE_DIR`, else `$XDG_STATE_HOME/cc-relay`, by default under `~/.local/state`."""
    chosen = environ.get("CC_RELAY_STATE_DIR")
    if chosen:
        return Path.cwd() / with_home(chosen, environ)
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / APPLICATION


def config_places(environ: Mapping[str, str], cwd: Path) -> Iterator[Path]:
    """Where a configuration is looked for when none is named, the first that exists wins."""
    for folder in (cwd, config_folder(environ)):
        for name in NAMES:
            yield folder / name


def with_home(text: str, environ: Mapping[str, str]) -> Path:
    """The path, with a leading `~` put into words."""
    if text == "~" or text.startswith("~/"):
        return _home(environ) / text[2:]
    return Path(text)


def _xdg(environ: Mapping[str, str], name: str, default: str) -> Path:
    # The XDG specification: a relative path is to be taken for no path at all.
    folder = Path(environ.get(name, ""))
    return folder if folder.is_absolute() else _home(environ) / default


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    return Path(home) if home else Path.home()
