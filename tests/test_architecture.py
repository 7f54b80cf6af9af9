"""The shape of the code, as tests: who imports whom, how long a file and a function may be.

A limit that does not fit has its exception here, by name, with the reason beside it.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]

MAX_FILE_LINES: Final = 300
MAX_FUNCTION_LINES: Final = 40

# File → why it holds more than one noun or verb. Aim: empty.
LONG_FILES: Final[Mapping[str, str]] = {}
# `file:function` → why it cannot be two. Aim: empty.
LONG_FUNCTIONS: Final[Mapping[str, str]] = {}

# A program that hangs must not hang the suite.
PROGRAM_LIMIT_S: Final = 50


def test_each_layer_imports_only_the_layers_below_it() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    found = _run(str(lint_imports), "--no-cache")

    assert found.returncode == 0, found.stdout + found.stderr


def test_no_file_holds_more_than_one_noun_or_verb() -> None:
    lengths = {_name(path): len(_text(path).splitlines()) for path in _sources("relay", "tests")}

    long = {name for name, length in lengths.items() if length > MAX_FILE_LINES}

    assert long == set(LONG_FILES), {name: lengths[name] for name in long ^ set(LONG_FILES)}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        f"{_name(path)}:{function.name}": _length(function)
        for path in _sources("relay")
        for function in _functions(path)
    }

    long = {name for name, length in lengths.items() if length > MAX_FUNCTION_LINES}

    assert long == set(LONG_FUNCTIONS), {name: lengths[name] for name in long ^ set(LONG_FUNCTIONS)}


def test_every_module_says_what_it_is() -> None:
    silent = [
        _name(path) for path in _sources("relay", "tests") if not ast.get_docstring(_tree(path))
    ]

    assert silent == []


def test_generated_documents_fit_the_code_they_come_from() -> None:
    found = _run(sys.executable, "-m", "relay.config.reference", "check")

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("relay", "flask"),  # `pip install` and `cc-relay version` start at once
        ("relay", "requests"),
        ("relay.cli", "flask"),
        ("relay.serving", "flask"),  # runs before gunicorn patches the standard library
        ("relay.serving", "requests"),
        ("relay.serving", "gevent"),
    ],
)
def test_loading_one_package_leaves_the_heavy_ones_alone(package: str, heavy: str) -> None:
    found = _run(sys.executable, "-c", f"import sys, {package}; print({heavy!r} in sys.modules)")

    assert (found.returncode, found.stdout) == (0, "False\n"), found.stderr


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PROGRAM_LIMIT_S, check=False
    )
