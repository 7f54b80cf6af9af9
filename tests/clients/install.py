"""Install the official Python SDK, both generations, each into a folder of its own.

`python -m tests.clients.install` (called by `make sdk`) fills `.sdk/<version>`. Where no index can
be reached it says so and the tests of `tests/clients` say so too; with `CI=true` that is a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
VERSIONS: Final = ("2.12.0", "0.125.0")
_LIMIT_S: Final = 300


def folder(version: str) -> Path:
    """Where a version is, or would be."""
    return ROOT / ".sdk" / version


def is_installed(version: str) -> bool:
    """Whether it is there completely."""
    return (folder(version) / "anthropic" / "__init__.py").exists()


def install(version: str) -> bool:
    """Install one version unless it is there; whether it is there now."""
    if is_installed(version):
        return True
    new = folder(version).with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--target", str(new), f"anthropic=={version}"),
    ]
    try:
        subprocess.run(command, check=True, timeout=_LIMIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        shutil.rmtree(new, ignore_errors=True)
        return False
    new.replace(folder(version))
    return True


def main() -> int:
    """Install all of them; 1 if one is missing where that is a failure."""
    missing = [version for version in VERSIONS if not install(version)]
    for version in missing:
        print(f"anthropic {version} cannot be installed; its tests are left out", file=sys.stderr)  # noqa: T201  a command
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    raise SystemExit(main())
