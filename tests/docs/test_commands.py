"""Every command a document names is there, with every option it is given."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from relay.cli import cc_relay
from relay.cli.lazy import LazyGroup
from tests.docs.markdown import DOCUMENTS, ROOT, blocks, named, spans

_PROGRAM: Final = re.compile(r"(?:flask |\S*/)?cc-relay(?= |$)")


def _said(document: Path) -> Iterator[str]:
    """Code spans, and the lines of shell blocks without their comments."""
    yield from spans(document)
    for block in blocks("sh"):
        if block.path == document:
            yield from (line.split("  #")[0].strip() for line in block.text.splitlines())


RELAY_COMMANDS: Final = sorted(
    {
        (named(document), _PROGRAM.sub("cc-relay", said, count=1))
        for document in DOCUMENTS
        for said in _said(document)
        if _PROGRAM.match(said)
    }
)
TARGETS: Final = sorted(
    {
        (named(document), said.split()[1])
        for document in DOCUMENTS
        for said in _said(document)
        if re.match(r"make [a-z-]+$", said)
    }
)


@pytest.mark.parametrize(("document", "command"), RELAY_COMMANDS)
def test_a_command_of_ours_exists_with_its_options(document: str, command: str) -> None:
    words = [word for word in shlex.split(command)[1:] if word not in {"…", "..."}]

    leaf, rest, known = _walked(words)

    unknown = [word for word in rest if word.startswith("--") and word not in known]
    assert unknown == [], f"{document}: {command}"
    takes_argument = any(isinstance(param, click.Argument) for param in leaf.params)
    leftover = [word for word in rest if re.fullmatch(r"[a-z]+", word)]
    assert takes_argument or leftover == [], f"{document}: {command}"


def test_the_table_of_commands_lists_exactly_those_that_are_there() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    rows = re.findall(r"^\| `cc-relay ([^`]+)` \|", readme, re.MULTILINE)

    assert sorted(rows) == sorted(_leaves(cc_relay, ()))


@pytest.mark.parametrize(("document", "target"), TARGETS)
def test_a_make_target_exists(document: str, target: str) -> None:
    found = subprocess.run(
        ["make", "--dry-run", "--question", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert found.returncode in {0, 1}, f"{document}: {found.stderr}"  # 2: no such target


def test_there_are_commands_to_test() -> None:
    assert ("README.md", "cc-relay config cc init") in RELAY_COMMANDS
    assert ("README.md", "run") in TARGETS


def _walked(words: list[str]) -> tuple[click.Command, list[str], set[str]]:
    """The command the words lead to, what is left of them, and the options it takes."""
    command: click.Command = cc_relay
    context = click.Context(cc_relay)
    rest = list(words)
    known = _options(command, context)
    while rest and isinstance(command, click.Group):
        if rest[0].startswith("-"):
            break
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"no command {' '.join(words)}"
        rest.pop(0)
        command, context = inner, click.Context(inner, parent=context)
        known |= _options(command, context)
    return command, rest, known


def _options(command: click.Command, context: click.Context) -> set[str]:
    return {name for param in command.get_params(context) for name in param.opts}


def _leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    if isinstance(command, LazyGroup) and command.is_command:
        yield " ".join(path)
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _leaves(inner, (*path, name))
