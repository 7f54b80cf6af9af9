"""`config validate`: the same load as `serve`, and a report."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import MINIMAL, Run

FAULTY = "server: {listen: nowhere, workers: -1, wrokers: 1}\nproviders: [{name: a, type: zai}]\n"


def test_a_valid_file_is_said_on_stdout_and_its_warnings_on_stderr(run: Run, home: Path) -> None:
    (home / "go.yaml").write_text(MINIMAL + "cache: {mode: single}\n")

    result = run("config", "validate", "go.yaml")

    assert result.exit_code == 0
    assert result.stdout == "go.yaml is valid\n"
    assert result.stderr.startswith("cache")
    assert len(result.stderr.splitlines()) == 1


def test_every_fault_is_told_at_once_with_its_path(run: Run, home: Path) -> None:
    (home / "config.yaml").write_text(FAULTY)

    result = run("config", "validate")

    assert (result.exit_code, result.stdout) == (1, "")
    places = [line.split(":")[0].split(" ")[0] for line in result.stderr.splitlines()]
    assert set(places[1:]) >= {"server.listen", "server.workers", "server.wrokers"}
    assert any(place.startswith("providers[0]") for place in places)


@pytest.mark.parametrize(
    "text",
    [
        FAULTY,
        "server: {listen: '0.0.0.0:0'}\nproviders: [{name: a, type: anthropic}]\n",
        MINIMAL + "routing: {strategy: model_based}\n",
        MINIMAL + "clients: {required: true}\n",
        MINIMAL + "server: {}\n",
        MINIMAL.replace("k1", "${file:/no/such/file}"),
        MINIMAL.replace("anthropic", "bedrock"),
        "",
        "server: [",
    ],
)
def test_what_it_refuses_serve_refuses_in_the_same_words(run: Run, home: Path, text: str) -> None:
    (home / "config.yaml").write_text(text)

    validated, served = run("config", "validate"), run("serve")

    assert (validated.exit_code, served.exit_code) == (1, 1)
    assert validated.stderr == served.stderr
    assert validated.stderr


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing.yaml", "missing.yaml"), ("config.json", "unsupported config format"), (".", ".")],
)
def test_a_file_that_cannot_be_read_is_one_line(run: Run, home: Path, name: str, why: str) -> None:
    (home / "config.json").write_text("{}")

    result = run("config", "validate", name)

    assert (result.exit_code, result.stdout) == (1, "")
    assert why in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_json_is_one_document_whatever_the_answer(run: Run, config: Path, home: Path) -> None:
    (home / "faulty.yaml").write_text(FAULTY)

    good, bad = (
        run("config", "validate", "--json"),
        run("config", "validate", "faulty.yaml", "--json"),
    )

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert json.loads(good.stdout) == {
        "path": str(config),
        "valid": True,
        "faults": [],
        "warnings": [],
    }
    report = json.loads(bad.stdout)
    assert (report["path"], report["valid"]) == ("faulty.yaml", False)
    assert len(report["faults"]) >= 4


def test_json_without_any_file_is_a_document_too(run: Run) -> None:
    result = run("config", "validate", "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["path"], report["valid"]) == (1, None, False)
