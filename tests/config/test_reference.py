"""The generated documents: in step with the sections, and right about them."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from relay.config import reference
from relay.config.parsing import parse
from relay.config.pending import PENDING
from relay.config.template import template
from tests.config.files import MINIMAL, a_file
from tests.config.test_go_files import GO_FILE


def test_the_documents_are_in_step_with_the_sections() -> None:
    assert reference.main(["check"]) == 0


def test_writing_puts_them_in_step_and_a_drift_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference.main(["check"], tmp_path) == 1
    assert reference.main(["write"], tmp_path) == 0
    assert reference.main(["check"], tmp_path) == 0
    capsys.readouterr()

    (tmp_path / "configuration.md").write_text("something else")

    assert reference.main(["check"], tmp_path) == 1
    assert capsys.readouterr().err == (
        "docs/configuration.md has drifted from the sections: "
        "python -m relay.config.reference write\n"
    )


def test_anything_else_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main([]) == 2
    assert "usage:" in capsys.readouterr().err


def test_every_table_has_five_columns() -> None:
    rows = [line for line in reference.markdown().splitlines() if line.startswith("| `")]
    rows = [row for row in rows if not row.startswith("| `$")]

    assert len(rows) > 100
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}


def test_every_line_of_the_pending_table_stands_for_a_setting() -> None:
    marked = reference.markdown()

    unmatched = [
        pattern
        for pattern in PENDING
        if f"`{pattern.rstrip('*').rpartition('.')[2] or pattern[:-2]}" not in marked
        and f"`{pattern[:-2]}" not in marked
    ]

    assert unmatched == []


@pytest.mark.parametrize("text", [MINIMAL, template(), a_file(server='workers: "${N}"')])
def test_the_json_schema_accepts_what_loads(tmp_path: Path, text: str) -> None:
    schema = json.loads(reference.schema_text())
    Draft202012Validator.check_schema(schema)
    (tmp_path / "config.yaml").write_text(text)

    Draft202012Validator(schema).validate(parse(tmp_path / "config.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "server: {}",
        "providers: []",
        a_file(server="workers: -1"),
        a_file(server="wrokers: 1"),
        a_file(provider="auth: own"),
        GO_FILE,
    ],
)
def test_the_json_schema_refuses_what_an_editor_should_mark(tmp_path: Path, text: str) -> None:
    schema = json.loads(reference.schema_text())
    (tmp_path / "config.yaml").write_text(text)

    assert not Draft202012Validator(schema).is_valid(parse(tmp_path / "config.yaml"))
