"""What is shown and judged: medians, the worst run for what must never happen, dashes."""

import json
import math

import pytest

from bench.load import report
from bench.load.figures import Column, Figures
from bench.load.measure import Measured
from bench.load.request import Request
from bench.load.targets import WITHOUT_ERRORS, Target

AT_MOST_10 = Target("request", "cpu_us", "CPU", 10)
AT_LEAST_10 = Target("request", "cpu_us", "CPU", 10, is_least=True)


def runs(*values: float) -> list[Figures]:
    """One figure in so many runs."""
    return [{"cpu_us": value, "errors": 0.0} for value in values]


def test_a_cell_is_the_median_and_the_range() -> None:
    assert Column("cpu_us", "CPU").cell(runs(3, 1, 2.26)) == "2.3 (1.0–3.0)"  # noqa: RUF001 - as shown


def test_a_single_run_has_no_range() -> None:
    assert Column("cpu_us", "CPU", 0).cell(runs(3)) == "3"


def test_what_is_not_known_is_a_dash() -> None:
    assert Column("cpu_us", "CPU").cell(runs(math.nan)) == "-"
    assert Column("rss", "RSS").cell(runs(1)) == "-"


@pytest.mark.parametrize(
    ("target", "values", "verdict"),
    [
        (AT_MOST_10, (9, 10, 99), "met"),
        (AT_MOST_10, (9, 11, 12), "missed"),
        (AT_LEAST_10, (9, 10, 99), "met"),
        (AT_LEAST_10, (1, 9, 12), "missed"),
        (AT_MOST_10, (math.nan,), "not measured"),
    ],
)
def test_the_median_is_judged(target: Target, values: tuple[float, ...], verdict: str) -> None:
    assert target.judge(runs(*values)) == verdict


def test_one_error_in_one_run_of_any_load_is_one_too_many() -> None:
    none, one = {"errors": 0.0}, {"errors": 1.0}
    measured = Measured({"paced": {"relay": [none] * 3}, "burst": {"relay": [none, one, none]}})

    assert WITHOUT_ERRORS.judge(measured.of(WITHOUT_ERRORS.load)) == "missed"


def test_errors_of_other_gateways_are_not_the_relays() -> None:
    measured = Measured({"paced": {"relay": [{"errors": 0.0}], "other": [{"errors": 9.0}]}})

    assert WITHOUT_ERRORS.judge(measured.of(WITHOUT_ERRORS.load)) == "met"


def test_a_missed_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured({"request": {"relay": runs(11)}})

    is_met = report.show(measured, [Request()], [AT_MOST_10])

    assert not is_met
    assert capsys.readouterr().out.endswith("missed: request: CPU\n")


def test_a_skipped_load_says_why_and_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured(skipped={"request": "too few open files"})

    is_met = report.show(measured, [Request()], [AT_MOST_10])

    assert is_met
    assert "skipped: too few open files" in capsys.readouterr().out


def test_json_holds_every_run_and_null_for_the_unknown() -> None:
    measured = Measured({"request": {"relay": runs(1, 2), "other": runs(math.nan)}})

    read = json.loads(report.as_json(measured, "here", [AT_MOST_10]))

    assert [run["cpu_us"] for run in read["loads"]["request"]["relay"]] == [1, 2]
    assert read["loads"]["request"]["other"][0]["cpu_us"] is None
    assert read["targets"][0]["verdict"] == "met"
