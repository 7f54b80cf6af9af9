"""The command line of the load harness."""

from pathlib import Path

import pytest

from bench.load import options
from bench.load.loads import LOADS


def test_without_options_everything_is_measured_three_times() -> None:
    read = options.parse([], LOADS)

    assert read.loads == list(LOADS)
    assert read.runs == 3
    assert read.gateways == []
    assert read.json is None


def test_options_are_read() -> None:
    written = ["--only", "open", "request", "--seconds", "0.5", "--runs", "2", "--json", "a.json"]
    gateways = ["--gateway", "a=http://127.0.0.1:1", "--gateway", "b=http://127.0.0.1:2"]

    read = options.parse([*written, *gateways, "--upstream-port", "9101"], LOADS)

    assert [load.name for load in read.loads] == ["request", "open"]
    assert (read.seconds, read.runs, read.json) == (0.5, 2, Path("a.json"))
    assert [each.name for each in read.gateways] == ["a", "b"]
    assert read.upstream_port == 9101


@pytest.mark.parametrize(
    "wrong",
    [
        ["--only", "nothing"],
        ["--runs", "0"],
        ["--seconds", "-1"],
        ["--seconds", "long"],
        ["--gateway", "127.0.0.1:1"],
        ["--gateway", "relay=http://127.0.0.1:1"],
        ["--gateway", "a=http://127.0.0.1:1", "--gateway", "a=http://127.0.0.1:2"],
    ],
)
def test_wrong_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(wrong, LOADS)

    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
