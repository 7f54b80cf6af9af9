"""Each load, small, against a real relay: its figures are there and its counts right."""

import math

import pytest

from bench.load.body import Body
from bench.load.burst import Burst
from bench.load.first_byte import FirstByte
from bench.load.load import Load
from bench.load.loads import LOADS
from bench.load.opened import Opened, TooFewDescriptors
from bench.load.paced import Paced
from bench.load.request import Request
from bench.load.stage import Stage
from bench.load.startup import Startup
from bench.load.targets import TARGETS

OPENED = Opened(streams=40, interval_ms=50, hold_s=0.4)
ON_A_RELAY: list[Load] = [
    Request(connections=2),
    Paced(streams=4, events=10, interval_ms=5),
    Burst(streams=2, events=500),
    Body(size_kb=100, connections=1),
    FirstByte(streams=4, events=5, interval_ms=5),
]


def keys(load: Load) -> set[str]:
    """What the load's table shows."""
    return {column.key for column in load.columns}


@pytest.mark.parametrize("load", ON_A_RELAY, ids=lambda load: load.name)
def test_a_load_gives_every_figure_of_its_table_without_errors(stage: Stage, load: Load) -> None:
    figures = load.measure(stage, None)

    assert keys(load) <= set(figures)
    assert not any(math.isnan(figures[key]) for key in keys(load))
    assert figures["errors"] == 0


@pytest.mark.parametrize("load", ON_A_RELAY[:2], ids=lambda load: load.name)
def test_a_gateway_of_unknown_process_has_times_but_no_cpu(stage: Stage, load: Load) -> None:
    figures = load.measure(stage, stage.direct)

    assert figures["errors"] == 0
    assert figures["per_s"] > 0
    assert math.isnan(figures["cpu_us"])
    assert figures["load_us"] > 0
    assert figures["upstream_us"] > 0


def test_the_relay_costs_more_than_load_and_upstream(stage: Stage) -> None:
    figures = Request().measure(stage, None)

    assert figures["load_us"] + figures["upstream_us"] < figures["cpu_us"]


def test_all_streams_are_open_at_once_and_all_finish(stage: Stage) -> None:
    figures = OPENED.measure(stage, None)

    assert figures["errors"] == 0
    assert figures["finished"] == 40
    assert 600 <= figures["per_s"] <= 1000  # 800 if nobody is in the way
    assert figures["kb_a_stream"] > 0
    assert 20 < figures["idle_mb"] < 200
    assert keys(OPENED) <= set(figures)


def test_a_stream_that_the_upstream_cuts_is_reported_through_the_relay(cutting: Stage) -> None:
    figures = Paced(streams=2, events=10, interval_ms=5).measure(cutting, None)

    assert figures["errors"] >= 2


def test_each_open_stream_has_either_finished_or_is_an_error(cutting: Stage) -> None:
    figures = OPENED.measure(cutting, cutting.direct)

    assert figures["errors"] > 0
    assert figures["finished"] + figures["errors"] == 40


def test_too_few_descriptors_are_said_before_anything_starts(stage: Stage) -> None:
    with pytest.raises(TooFewDescriptors, match="1000000 streams need 2000256 open files"):
        Opened(streams=1_000_000).measure(stage, stage.direct)


def test_a_start_is_timed_to_the_first_relayed_answer(stage: Stage) -> None:
    figures = Startup(starts=1).measure(stage, None)

    assert 0.05 < figures["health_s"] <= figures["relayed_s"] < 20
    assert figures["errors"] == 0


def test_every_target_is_one_of_a_load_that_gives_its_figure() -> None:
    shown = {(load.name, column.key) for load in LOADS for column in load.columns}

    assert {(target.load, target.key) for target in TARGETS} <= shown
