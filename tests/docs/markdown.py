"""The documents as data: their fenced blocks, their code spans and their links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

DOCUMENTS: Final = tuple(
    sorted(
        path
        for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "bench")
        for path in folder.glob("*.md")
    )
)

_FENCE: Final = re.compile(
    r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE
)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, and where it begins; its `str` names it in a test."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{named(self.path)}:{self.line}"


def named(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks in these languages, of all documents."""
    return [block for path in DOCUMENTS for block in _of(path) if block.language in languages]


def spans(path: Path) -> list[str]:
    """The code spans of a document, without those inside fenced blocks."""
    return _SPAN.findall(_prose(path))


def links(path: Path) -> list[str]:
    """Where a document's links lead."""
    return _LINK.findall(_prose(path))


def anchors(path: Path) -> set[str]:
    """What a link into this document may name after `#`, by the rule of GitHub."""
    headings = _HEADING.findall(_prose(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _of(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        yield Block(path, line, fence["language"], fence["text"])


def _prose(path: Path) -> str:
    return _FENCE.sub("", path.read_text("utf-8"))
