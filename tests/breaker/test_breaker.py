"""Permits of two workers over one store: what they change, and what they give back."""

import logging
from collections.abc import Callable

import pytest

from relay.breaker.breaker import PLACE_S, Permit
from relay.breaker.transitions import State
from tests.breaker.circuit import CONFIG
from tests.breaker.conftest import OPEN_S, PROVIDER, Worker, Workers
from tests.state.given import SetClock


def changes(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, str]]:
    """Level, from, to and reason of what was said."""
    said = [record for record in caplog.records if record.getMessage() == "breaker changed"]
    fields = [vars(record)["fields"] for record in said]
    assert {each["provider"] for each in fields} <= {PROVIDER}
    return [
        (record.levelname, each["from"], each["to"], each["reason"])
        for record, each in zip(said, fields, strict=True)
    ]


@pytest.fixture(autouse=True)
def _all_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def test_failures_of_two_workers_open_it_for_both(workers: Workers) -> None:
    one, other = workers(), workers()

    one.let_in().failure("refused")
    other.let_in().failure("refused")
    assert one.state() is State.CLOSED
    one.let_in().failure("refused")

    assert one.admit() is None
    assert other.admit() is None


def test_a_success_of_another_worker_starts_the_row_anew(workers: Workers) -> None:
    one, other = workers(), workers()
    for _ in range(3):
        one.let_in().failure("refused")
        one.let_in().failure("refused")
        other.let_in().success()

    assert one.state() is State.CLOSED


def test_providers_have_nothing_to_do_with_each_other(worker: Worker) -> None:
    worker.open()

    assert worker.admit("another") is not None


def test_half_open_lets_in_as_many_as_there_are_probes_over_all_workers(
    workers: Workers, clock: SetClock
) -> None:
    one, other = workers(), workers()
    one.open()
    clock.later(OPEN_S)

    permits = [worker.admit() for worker in (one, other, one, other, one)]

    assert [permit is not None for permit in permits] == [True, True, False, False, False]
    assert all(permit.is_probe for permit in permits if permit)


def test_successes_of_probes_close_it(workers: Workers, clock: SetClock) -> None:
    one, other = workers(), workers()
    one.open()
    clock.later(OPEN_S)

    one.let_in().success()
    assert other.state() is State.HALF_OPEN
    other.let_in().success()

    assert one.state() is State.CLOSED
    assert not one.let_in().is_probe


def test_a_probe_that_fails_opens_it_again_at_once(workers: Workers, clock: SetClock) -> None:
    one, other = workers(), workers()
    one.open()
    clock.later(OPEN_S)
    first, second = one.let_in(), other.let_in()

    first.failure("answered 500")

    assert other.admit() is None
    second.success()
    assert one.state() is State.OPEN
    clock.later(OPEN_S)
    assert other.admit() is not None


ENDS: list[Callable[[Permit], None]] = [
    Permit.success,
    Permit.neutral,
    lambda permit: permit.failure("lost"),
]


@pytest.mark.parametrize("end", ENDS, ids=["success", "neutral", "failure"])
def test_every_end_of_a_probe_gives_its_place_back(
    workers: Workers, clock: SetClock, end: Callable[[Permit], None]
) -> None:
    one = workers()
    one.open()
    clock.later(OPEN_S)
    permit = one.let_in()
    assert permit.place is not None

    end(permit)

    name = permit.place[0]
    assert one.store.hold(name, 1, 1.0) is not None


def test_a_neutral_probe_leaves_it_half_open_and_the_next_is_let_in(
    worker: Worker, clock: SetClock
) -> None:
    worker.open()
    clock.later(OPEN_S)

    for _ in range(2 * CONFIG.half_open_probes):
        worker.let_in().neutral()

    assert worker.state() is State.HALF_OPEN


def test_a_probe_whose_worker_died_is_not_waited_for(workers: Workers, clock: SetClock) -> None:
    dead, alive = workers(), workers()
    dead.open()
    clock.later(OPEN_S)
    for _ in range(CONFIG.half_open_probes):
        dead.let_in()
    assert alive.admit() is None

    clock.later(PLACE_S)

    for _ in range(CONFIG.half_open_probes):
        alive.let_in().success()
    assert alive.state() is State.CLOSED


def test_a_probe_that_is_renewed_keeps_its_place(worker: Worker, clock: SetClock) -> None:
    worker.open()
    clock.later(OPEN_S)
    kept, _ = worker.let_in(), worker.let_in()

    clock.later(PLACE_S - 1)
    kept.renew()
    clock.later(PLACE_S - 1)

    permits = [worker.admit() for _ in range(2)]
    assert [permit is not None for permit in permits] == [True, False]


def test_renewing_what_has_ended_or_is_no_probe_does_nothing(
    worker: Worker, clock: SetClock
) -> None:
    worker.let_in().renew()
    worker.open()
    clock.later(OPEN_S)
    ended = worker.let_in()
    ended.neutral()

    ended.renew()

    assert [worker.admit() is not None for _ in range(3)] == [True, True, False]


def test_only_the_first_end_counts(worker: Worker) -> None:
    for _ in range(2):
        permit = worker.let_in()
        for _ in range(3):
            permit.failure("refused")
        permit.success()
    assert worker.state() is State.CLOSED

    permit = worker.let_in()
    permit.neutral()
    permit.failure("refused")
    assert worker.state() is State.CLOSED

    worker.let_in().failure("refused")
    assert worker.state() is State.OPEN


@pytest.mark.parametrize("end", ENDS, ids=["success", "neutral", "failure"])
def test_what_was_let_in_before_says_nothing_while_open_or_half_open(
    worker: Worker, clock: SetClock, end: Callable[[Permit], None]
) -> None:
    early, late = worker.let_in(), worker.let_in()
    worker.open()

    end(early)
    assert worker.state() is State.OPEN
    clock.later(OPEN_S)
    end(late)
    assert worker.state() is State.HALF_OPEN


def test_a_probe_of_an_earlier_phase_says_nothing_in_a_later_one(
    worker: Worker, clock: SetClock
) -> None:
    worker.open()
    clock.later(OPEN_S)
    worker.let_in().failure("again")
    clock.later(OPEN_S)
    first, second = worker.let_in(), worker.let_in()
    second.failure("and again")
    clock.later(OPEN_S)

    first.failure("late")

    assert worker.state() is State.HALF_OPEN


def test_whoever_saw_the_record_before_it_opened_again_is_not_let_in(
    worker: Worker, clock: SetClock
) -> None:
    worker.open()
    clock.later(OPEN_S)
    now, (seen,) = worker.store.look([worker.breakers.name(PROVIDER)])
    worker.let_in().failure("again")

    assert worker.breakers.admit(PROVIDER, seen, now, CONFIG) is None


def test_whoever_saw_the_record_before_it_closed_is_let_in_without_a_place(
    worker: Worker, clock: SetClock
) -> None:
    worker.open()
    clock.later(OPEN_S)
    now, (seen,) = worker.store.look([worker.breakers.name(PROVIDER)])
    for _ in range(2):
        worker.let_in().success()

    permit = worker.breakers.admit(PROVIDER, seen, now, CONFIG)

    assert permit is not None
    assert not permit.is_probe


def test_a_good_active_probe_lets_requests_in_before_the_time(worker: Worker) -> None:
    worker.open()

    worker.breakers.probed(PROVIDER, CONFIG)

    assert worker.let_in().is_probe


def test_a_provider_that_left_begins_anew(worker: Worker) -> None:
    worker.open()

    worker.breakers.forget(PROVIDER)
    worker.breakers.forget(PROVIDER)

    assert worker.state() is State.CLOSED


def test_each_change_is_said_once_by_whoever_made_it(
    workers: Workers, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = workers(), workers()
    one.open()
    clock.later(OPEN_S)
    first, second = one.let_in(), other.let_in()
    first.failure("broke")
    second.failure("broke")
    other.breakers.probed(PROVIDER, CONFIG)
    one.breakers.probed(PROVIDER, CONFIG)
    for permit in (one.let_in(), other.let_in()):
        permit.success()
    one.let_in().success()

    assert changes(caplog) == [
        ("WARNING", "closed", "open", "answered 503"),
        ("INFO", "open", "half-open", "its time is over"),
        ("WARNING", "half-open", "open", "broke"),
        ("INFO", "open", "half-open", "active probe"),
        ("INFO", "half-open", "closed", "probes succeeded"),
    ]


def test_a_permit_says_what_it_is(worker: Worker, clock: SetClock) -> None:
    permit = worker.let_in()
    worker.open()
    clock.later(OPEN_S)
    probe = worker.let_in()
    probe.neutral()

    assert (repr(permit), repr(probe)) == ("Permit(main, closed)", "Permit(main, probe, ended)")
