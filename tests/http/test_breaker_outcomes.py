"""What counts for a breaker, what against it, and what not at all (behaviour 8.2, 10.1)."""

import time

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.failures import RETRIED, first_event_error
from tests.scripted.fleet import Fleet

FAILS = says_error(500, "api_error", "theirs")
ONE = {"failure_threshold": 1}
TWO = {"failure_threshold": 2}
OWN = {"x-api-key": "a client's own"}
BEGUN = messages.beginning()
REST = messages.text_stream()[len(BEGUN) :]
THROTTLED = says_error(429, "rate_limit_error", headers={"retry-after-ms": "1"})


def _error_event(type: str) -> bytes:
    return messages.event("error", error={"type": type, "message": "m"})


BROKEN = {
    "cut": streams(*BEGUN, 0.05, ends="close"),
    "reset": streams(*BEGUN, 0.05, ends="reset"),
    "ended without message_stop": streams(*BEGUN),
    "silent": streams(*BEGUN, 3.0, *REST),
    "error event": streams(*BEGUN, 0.3, _error_event("overloaded_error")),
}


def _is_open(fleet: Fleet) -> bool:
    """Whether the next request finds the breaker open; it is asked of both workers."""
    fleet["A"].answers_with(says_message())
    found = {fleet.post(worker=worker).status for worker in (0, 1)}
    assert found in ({200}, {503})
    return found == {503}


def _health(fleet: Fleet) -> str | None:
    fleet["A"].answers_with(says_message())
    return fleet.post().header("x-cc-relay-health")


def _put(fleet: Fleet, breaker: dict[str, int]) -> None:
    timeouts = {"first_byte_ms": 1000, "idle_ms": 1000}
    fleet.put(fleet.entry("A", timeouts=timeouts), breaker=breaker)


def test_every_failure_before_commit_counts(fleet: Fleet) -> None:
    failures = [answer for name, answer in RETRIED.items() if name != "429"]
    _put(fleet, {"failure_threshold": len(failures)})
    fleet["A"].says(*failures)
    for count in range(len(failures)):
        assert len(fleet["A"].requests) == count
        assert fleet.post(STREAM_MSG).status != 200
    assert _is_open(fleet)


def test_every_stream_that_breaks_after_commit_counts(fleet: Fleet) -> None:
    _put(fleet, {"failure_threshold": len(BROKEN)})
    fleet["A"].says(*BROKEN.values())
    for count in range(len(BROKEN)):
        assert len(fleet["A"].requests) == count
        assert fleet.settled(fleet.post(STREAM_MSG)).status == 200
    assert _is_open(fleet)


def test_a_stream_that_ends_well_counts_for_it(fleet: Fleet) -> None:
    _put(fleet, TWO)
    fleet["A"].says(FAILS, streams(), FAILS, streams())
    statuses = [fleet.settled(fleet.post(STREAM_MSG)).status for _ in range(4)]
    assert statuses == [500, 200, 500, 200]
    assert not _is_open(fleet)


def test_what_is_no_fault_of_the_provider_opens_nothing(fleet: Fleet) -> None:
    _put(fleet, ONE)
    for status in (400, 404, 409, 413, 422, 401, 402, 403):
        fleet["A"].says(says_error(status, "some_error"))
        # A refused key of ours is no client's concern, and is tried again as a last resort.
        assert fleet.post().status == (502 if status in (401, 403) else status)
    assert fleet.hits == "A" * 8
    assert _health(fleet) == "closed"


@pytest.mark.parametrize(
    "success",
    [
        says_message(),
        says_error(400, "invalid_request_error"),
        THROTTLED,
        first_event_error("invalid_request_error"),
    ],
    ids=["200", "400", "429 to ours", "invalid request event"],
)
def test_any_success_starts_the_row_anew(fleet: Fleet, success: Answer) -> None:
    _put(fleet, TWO)
    for _ in range(2):
        fleet["A"].says(FAILS, success)
        for _ in range(2):
            fleet.settled(fleet.post(STREAM_MSG))
        time.sleep(0.02)  # so long a throttled key rests, and more
    assert len(fleet.hits) == 4
    assert not _is_open(fleet)


def test_a_429_to_a_clients_own_credential_is_neutral(fleet: Fleet) -> None:
    _put(fleet, TWO)
    fleet["A"].says(FAILS, THROTTLED, FAILS)
    statuses = [fleet.settled(fleet.post(headers=OWN)).status for _ in range(3)]
    assert statuses == [500, 429, 500]
    assert _is_open(fleet)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_of_the_client_opens_nothing(fleet: Fleet, status: int) -> None:
    _put(fleet, ONE)
    fleet["A"].answers_with(says_error(status, "some_error"))
    assert [fleet.post(headers=OWN).status for _ in range(2)] == [status] * 2
    assert _health(fleet) == "closed"


def test_failures_with_a_clients_own_credential_count(fleet: Fleet) -> None:
    _put(fleet, TWO)
    fleet["A"].answers_with(says_error(529, "overloaded_error"))
    assert [fleet.post(headers=OWN).status for _ in range(2)] == [529] * 2
    assert _is_open(fleet)


@pytest.mark.parametrize(
    "answer",
    [
        says_nothing("open"),
        streams(*BEGUN, 60.0),
    ],
    ids=["before headers", "in mid-stream"],
)
def test_a_client_that_leaves_is_neutral(fleet: Fleet, answer: Answer) -> None:
    fleet.put(fleet.entry("A"), breaker=TWO)
    fleet["A"].says(FAILS, answer)
    assert fleet.post().status == 500
    client = fleet.begin(STREAM_MSG)
    left = fleet["A"].wait_for(2)[1]
    if answer.status:
        client.response().take(len(b"".join(BEGUN)))
    client.close()
    assert left.closed.wait(3)
    fleet["A"].says(FAILS)
    assert fleet.post().status == 500  # the second in a row: nothing stood between
    assert _is_open(fleet)


def test_a_client_that_leaves_opens_nothing(fleet: Fleet) -> None:
    fleet.put(fleet.entry("A"), breaker=ONE)
    fleet["A"].says(says_nothing("open"))
    client = fleet.begin()
    left = fleet["A"].wait_for(1)[0]
    client.close()
    assert left.closed.wait(3)
    assert not _is_open(fleet)


def test_what_is_refused_here_is_neutral(fleet: Fleet) -> None:
    server = {"max_body_bytes": 200}
    fleet.put(fleet.entry("A", {"rpm_limit": 1}), breaker=TWO, server=server)
    fleet["A"].answers_with(FAILS)
    assert fleet.post().status == 500
    assert fleet.post(b"x" * 300).status == 413
    assert fleet.post().error()[0] == "rate_limit_error"
    fleet.put(fleet.entry("A"), breaker=TWO)
    fleet["A"].answers_with(FAILS)
    assert fleet.post().status == 500  # the second in a row
    assert _is_open(fleet)
