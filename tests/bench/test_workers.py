"""One worker beside two: the streams are counted in both, nothing stays pinned or behind."""

import os

from bench.load.stage import Stage
from bench.load.workers import Workers


def test_both_are_measured_on_all_cores_and_the_pins_put_back(stage: Stage) -> None:
    pinned = os.sched_getaffinity(0), os.sched_getaffinity(stage.upstream.pid)
    small = Workers(streams_a_worker=4, burst_streams=2, connections=2, events=10)

    figures = small.measure(stage, None)

    assert figures["errors"] == 0
    assert {column.key for column in small.columns} <= set(figures)
    assert figures["two_of_one"] > 0
    assert (os.sched_getaffinity(0), os.sched_getaffinity(stage.upstream.pid)) == pinned
