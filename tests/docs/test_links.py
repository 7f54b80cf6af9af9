"""Links lead somewhere, and nothing points out of the repository."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, links, named, spans

README_LINES: Final = 200


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_to_a_file_or_heading_that_is_there(document: Path) -> None:
    broken = [
        link for link in links(document) if "://" not in link and not _is_there(document, link)
    ]

    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document_stands_on_its_own(document: Path) -> None:
    text = document.read_text("utf-8")

    outside = [
        word for word in ("../shared", "/work/", "behaviour.md", "contract.md") if word in text
    ]

    assert outside == []


def test_every_decision_is_listed_and_has_its_five_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path for path in folder.glob("0*.md"))

    listed = [link for link in links(folder / "README.md") if link.startswith("0")]
    incomplete = [
        path.name
        for path in records
        if not {"context", "decision", "consequences", "alternatives", "status"} <= anchors(path)
    ]

    assert listed == [path.name for path in records]
    assert incomplete == []


def test_every_decision_the_code_names_exists() -> None:
    named_in_code = {
        word.strip("`'\").,:;")
        for path in (ROOT / "relay").rglob("*.py")
        for word in path.read_text("utf-8").split()
        if "docs/decisions/0" in word
    }

    assert named_in_code != set()
    assert [name for name in named_in_code if not (ROOT / name).is_file()] == []


def test_every_source_file_a_document_names_exists() -> None:
    named_files = {
        (named(document), span)
        for document in DOCUMENTS
        for span in spans(document)
        if re.fullmatch(r"[a-z_]+/[a-z_/]*[a-z_]+\.py", span) and "acme" not in span
    }

    missing = [
        (document, name)
        for document, name in sorted(named_files)
        if not ((ROOT / name).is_file() or (ROOT / "relay" / name).is_file())
    ]

    assert ("docs/architecture.md", "exchange/failover.py") in named_files
    assert missing == []


def test_the_architecture_page_shows_the_layers_that_are_enforced() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    enforced = settings["tool"]["importlinter"]["contracts"][0]["layers"]

    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition("## Layers")[2].partition("import-linter")[0]
    shown = [
        re.split(r" {2,}", line.strip())[0]
        for line in section.splitlines()
        if line.startswith("    ")
    ]

    assert shown == enforced


def test_the_readme_fits_into_two_hundred_lines() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()

    assert len(lines) <= README_LINES


def _is_there(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    return target.exists() and (not anchor or anchor in anchors(target))
