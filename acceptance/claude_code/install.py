"""Install the pinned Claude Code from npm into `.claude-code/` of the repository.

The package on npm is a small wrapper whose install script would fetch the program of the
platform; we name that package ourselves, at the same version, and run no install script.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

VERSION: Final = "2.1.331"
PACKAGES: Final = ("@anthropic-ai/claude-code", "@anthropic-ai/claude-code-linux-x64")
FOLDER: Final = Path(__file__).resolve().parents[2] / ".claude-code"
INSTALL_LIMIT_S: Final = 600
"""The program is some 250 MB; a slow line may take minutes."""


def install() -> Path:
    """Where the program lies, after installing it if that version is not there yet."""
    modules = FOLDER / "node_modules"
    program = modules / PACKAGES[1] / "claude"
    if not all(_is_installed(modules / package) for package in PACKAGES):
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm: not found; it is needed to install Claude Code")
        FOLDER.mkdir(exist_ok=True)
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
        packages = [f"{package}@{VERSION}" for package in PACKAGES]
        subprocess.run(
            [*command, "--prefix", str(FOLDER), *packages], check=True, timeout=INSTALL_LIMIT_S
        )
    return program


def _is_installed(package: Path) -> bool:
    try:
        return bool(json.loads((package / "package.json").read_text())["version"] == VERSION)
    except FileNotFoundError:
        return False
