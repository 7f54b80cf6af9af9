"""The table of behaviour 10.1, row by row."""

import pytest

from relay.breaker.transitions import (
    CLOSED,
    UNCHANGED,
    Signal,
    Standing,
    State,
    caught_up,
    standing,
)
from relay.config.model import CircuitBreakerConfig
from tests.breaker.circuit import CONFIG, NOW, Circuit, a_mark

HALF = NOW + 30


@pytest.fixture
def circuit() -> Circuit:
    """A closed one."""
    return Circuit()


@pytest.fixture
def opened(circuit: Circuit) -> Circuit:
    """One that opened at `NOW`."""
    circuit.fails(3)
    return circuit


def test_without_a_record_it_is_closed(circuit: Circuit) -> None:
    assert circuit.stands() == CLOSED


def test_failures_in_a_row_open_it(circuit: Circuit) -> None:
    circuit.fails(2)
    before = circuit.stands()
    circuit.fails(1)

    assert (before.state, circuit.stands().state) == (State.CLOSED, State.OPEN)


def test_a_success_starts_the_row_anew_and_leaves_no_record(circuit: Circuit) -> None:
    circuit.fails(2)

    assert circuit.hears(Signal.SUCCESS)
    assert circuit.record is None
    circuit.fails(2)
    assert circuit.stands().state is State.CLOSED


def test_a_success_with_a_clean_record_is_nothing_to_write(circuit: Circuit) -> None:
    assert not circuit.hears(Signal.SUCCESS)


def test_an_open_one_is_half_open_when_its_time_has_passed_and_nobody_wrote_that(
    opened: Circuit,
) -> None:
    assert opened.stands(NOW).until == HALF
    assert opened.stands(HALF - 0.001).state is State.OPEN
    assert opened.stands(HALF).state is State.HALF_OPEN


@pytest.mark.parametrize("signal", [Signal.FAILURE, Signal.SUCCESS])
def test_what_ends_while_it_is_open_began_before_and_changes_nothing(
    opened: Circuit, signal: Signal
) -> None:
    assert not opened.hears(signal, NOW + 5)
    assert not opened.hears(signal, NOW + 5, opened.stands().epoch)


def test_a_good_active_probe_turns_it_half_open_at_once(opened: Circuit) -> None:
    epoch = opened.stands().epoch

    assert opened.hears(Signal.PROBED, NOW + 5)
    assert opened.stands(NOW + 5) == Standing(State.HALF_OPEN, epoch=epoch)


def test_an_active_probe_says_nothing_of_one_that_is_not_open(circuit: Circuit) -> None:
    assert not circuit.hears(Signal.PROBED)
    circuit.fails(3)
    assert not circuit.hears(Signal.PROBED, HALF)


def test_successes_of_its_probes_close_it(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch

    assert opened.hears(Signal.SUCCESS, HALF, epoch)
    assert opened.stands(HALF).state is State.HALF_OPEN
    assert opened.hears(Signal.SUCCESS, HALF + 1, epoch)
    assert opened.stands(HALF + 1) == CLOSED


def test_closed_again_it_counts_from_nothing(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch
    for _ in range(2):
        opened.hears(Signal.SUCCESS, HALF, epoch)

    opened.fails(2, HALF)
    assert opened.stands(HALF).state is State.CLOSED


def test_the_first_success_after_it_closed_leaves_no_record(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch
    for _ in range(2):
        opened.hears(Signal.SUCCESS, HALF, epoch)
    assert opened.record is not None  # whose mark says who closed it

    assert opened.hears(Signal.SUCCESS, HALF)
    assert opened.record is None
    assert not opened.hears(Signal.SUCCESS, HALF)


def test_one_failure_of_a_probe_opens_it_again_and_its_time_starts_anew(opened: Circuit) -> None:
    epoch = opened.stands(HALF).epoch
    opened.hears(Signal.SUCCESS, HALF, epoch)

    assert opened.hears(Signal.FAILURE, HALF + 1, epoch)
    again = opened.stands(HALF + 1)
    assert (again.state, again.until) == (State.OPEN, HALF + 31)
    assert again.epoch != epoch


@pytest.mark.parametrize("signal", [Signal.FAILURE, Signal.SUCCESS])
def test_half_open_hears_of_nobody_but_its_own_probes(opened: Circuit, signal: Signal) -> None:
    earlier = opened.stands(HALF).epoch
    opened.hears(Signal.FAILURE, HALF, earlier)
    later = HALF + 30

    assert opened.stands(later).state is State.HALF_OPEN
    assert not opened.hears(signal, later)
    assert not opened.hears(signal, later, earlier)
    assert opened.hears(signal, later, opened.stands(later).epoch)


def test_all_workers_agree_on_a_phase_that_nobody_wrote(opened: Circuit) -> None:
    written = caught_up(opened.record, HALF + 7, CONFIG, mark=a_mark())

    assert isinstance(written, bytes)
    assert standing(written, HALF + 7, CONFIG).epoch == opened.stands(HALF + 9).epoch


def test_nothing_is_to_be_caught_up_with_but_a_time_that_has_passed(opened: Circuit) -> None:
    written = caught_up(opened.record, HALF, CONFIG, mark=a_mark())

    assert isinstance(written, bytes)
    assert caught_up(written, HALF, CONFIG, mark=a_mark()) is UNCHANGED
    assert caught_up(opened.record, HALF - 1, CONFIG, mark=a_mark()) is UNCHANGED
    assert caught_up(None, HALF, CONFIG, mark=a_mark()) is UNCHANGED


@pytest.mark.parametrize("failures", [1, 3])
def test_two_who_write_the_same_write_different_records(failures: int) -> None:
    one, other = Circuit(), Circuit()
    one.fails(failures)
    other.fails(failures)

    assert one.record != other.record


@pytest.mark.parametrize("record", [b"", b"x", bytes(200), b"\x09" + bytes(40)])
def test_what_is_no_record_of_ours_is_closed(record: bytes) -> None:
    assert standing(record, NOW, CONFIG) == CLOSED


def test_a_new_configuration_holds_for_an_old_record(opened: Circuit) -> None:
    shorter = CircuitBreakerConfig(3, 1000, 2)

    assert standing(opened.record, NOW + 1, shorter).state is State.HALF_OPEN
