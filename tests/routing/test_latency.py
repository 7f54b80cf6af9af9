"""The record of a provider's latency: worse at once, better by and by."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.routing.latency import LENGTH, updated, value

SECONDS = st.floats(0, 600, allow_nan=False)


def after(*samples: tuple[float, float]) -> bytes:
    """The record after samples, each with its moment."""
    record: bytes | None = None
    for sample_s, now in samples:
        record = updated(record, sample_s, now)
    assert record is not None
    return record


def test_nobody_has_a_latency_before_the_first_sample() -> None:
    assert value(None, 0.0) is None


def test_the_first_sample_is_the_average() -> None:
    assert value(after((0.7, 100.0)), 100.0) == 0.7


def test_a_worse_sample_counts_at_once_and_in_full() -> None:
    assert value(after((0.5, 100.0), (9.0, 100.1)), 100.1) == 9.0


def test_better_samples_are_approached_over_a_minute_or_two() -> None:
    stalled = (30.0, 0.0)
    soon = after(stalled, *((1.0, float(now)) for now in range(1, 11)))
    later = after(stalled, *((1.0, float(now)) for now in range(1, 61)))
    long_after = after(stalled, *((1.0, float(now)) for now in range(1, 301)))

    assert value(soon, 10.0) == pytest.approx(25.5, abs=0.1)
    assert value(later, 60.0) == pytest.approx(11.7, abs=0.1)
    assert value(long_after, 300.0) == pytest.approx(1.2, abs=0.1)


def test_many_better_samples_at_once_do_not_wipe_out_a_stall() -> None:
    record = after((30.0, 0.0), *((1.0, 0.001 * n) for n in range(1000)))

    assert value(record, 1.0) == pytest.approx(29.5, abs=0.1)


def test_ten_minutes_without_a_sample_it_is_as_if_there_had_been_none() -> None:
    record = after((30.0, 0.0))

    assert value(record, 599.9) == 30.0
    assert value(record, 600.0) is None
    assert value(updated(record, 1.0, 600.0), 600.0) == 1.0


def test_a_clock_that_is_behind_changes_no_average_and_no_age() -> None:
    record = after((30.0, 100.0), (1.0, 99.0))

    assert value(record, 99.0) == 30.0
    assert value(record, 699.9) == 30.0


@pytest.mark.parametrize("record", [b"", b"short", b"x" * (LENGTH + 1)])
def test_what_is_no_record_counts_as_none(record: bytes) -> None:
    assert value(record, 0.0) is None
    assert value(updated(record, 1.5, 0.0), 0.0) == 1.5


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1))
def test_the_average_is_never_beyond_the_samples_nor_below_the_newest(
    samples: list[tuple[float, float]],
) -> None:
    moments = sorted(now for _, now in samples)
    paced = [(sample, now) for (sample, _), now in zip(samples, moments, strict=True)]

    record = after(*paced)

    average = value(record, moments[-1])
    assert len(record) == LENGTH
    assert average is not None
    assert average >= paced[-1][0] * (1 - 1e-9)
    assert average <= max(sample for sample, _ in paced) * (1 + 1e-9)
    assert all(one <= two for one, two in pairwise(moments))
