"""Every row of behaviour 8.2."""

import pytest

from relay.breaker import classify
from relay.breaker.classify import Counts, KeyFate, Left, Next, Scope, Verdict
from relay.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamIdle,
    UpstreamLost,
    UpstreamSilent,
    UpstreamUnreachable,
)

OURS, THEIRS = True, False


def verdict(row: str) -> Verdict:
    """A verdict from its five words, in the order of the table."""
    scope, key, counts, following, left = row.upper().split()
    return Verdict(Scope[scope], KeyFate[key], Counts[counts], Next[following], Left[left])


REQUEST = "request none success none answer"
PROVIDER = "provider none failure provider answer"
UNUSABLE = "provider none failure provider failed"

STATUSES = [
    *[(status, ours, "none none success none answer") for status in (200, 204) for ours in (0, 1)],
    *[(status, ours, UNUSABLE) for status in (301, 302, 304, 307) for ours in (0, 1)],
    *[
        (status, ours, REQUEST)
        for status in (400, 404, 405, 408, 409, 413, 418, 422)
        for ours in (0, 1)
    ],
    (401, THEIRS, "client none success none answer"),
    (403, THEIRS, "client none success none answer"),
    (401, OURS, "key set_aside success key credential_refused"),
    (403, OURS, "key set_aside success key credential_refused"),
    (402, OURS, "key set_aside success key answer"),
    (402, THEIRS, REQUEST),
    (429, OURS, "key rests success key answer"),
    (429, THEIRS, "client none neutral none answer"),
    *[(status, ours, PROVIDER) for status in (500, 501, 502, 503, 504, 529) for ours in (0, 1)],
]


@pytest.mark.parametrize(("status", "ours", "row"), STATUSES)
def test_an_answer_is_judged_by_status_and_whose_credential_it_was(
    status: int, ours: int, row: str
) -> None:
    assert classify.of_status(status, ours=bool(ours)) == verdict(row)


ERRORS: list[tuple[UpstreamError, bool, str]] = [
    (UpstreamUnreachable(), True, "network none failure provider failed"),
    (UpstreamUnreachable(), False, "network none failure provider failed"),
    (UpstreamLost(), True, "ambiguous none failure provider failed"),
    (UpstreamLost(), False, "ambiguous none failure none failed"),
    (UpstreamSilent(), True, "ambiguous none failure provider timed_out"),
    (UpstreamSilent(), False, "ambiguous none failure none timed_out"),
    (UpstreamBroken(), True, UNUSABLE),
    (UpstreamBroken(), False, UNUSABLE),
    (UpstreamIdle(), True, UNUSABLE),
    (UpstreamIdle(), False, UNUSABLE),
]


@pytest.mark.parametrize(("error", "retry_ambiguous", "row"), ERRORS)
def test_an_error_is_judged_by_whether_the_upstream_may_have_acted(
    *, error: UpstreamError, retry_ambiguous: bool, row: str
) -> None:
    assert classify.of_error(error, retry_ambiguous=retry_ambiguous) == verdict(row)


EVENTS = [
    ("overloaded_error", OURS, UNUSABLE, 502),
    ("api_error", OURS, UNUSABLE, 502),
    ("timeout_error", THEIRS, UNUSABLE, 502),
    ("an_error_nobody_knows", OURS, UNUSABLE, 502),
    ("rate_limit_error", OURS, "key rests success key answer", 429),
    ("rate_limit_error", THEIRS, "client none neutral none answer", 429),
    ("authentication_error", OURS, "key set_aside success key credential_refused", 401),
    ("permission_error", OURS, "key set_aside success key credential_refused", 403),
    ("authentication_error", THEIRS, "client none success none answer", 401),
    ("billing_error", OURS, "key set_aside success key answer", 402),
    ("invalid_request_error", OURS, REQUEST, 400),
    ("not_found_error", OURS, REQUEST, 404),
    ("request_too_large", OURS, REQUEST, 413),
]


@pytest.mark.parametrize(("error_type", "ours", "row", "status"), EVENTS)
def test_an_error_event_is_judged_as_the_status_it_would_have_been(
    *, error_type: str, ours: bool, row: str, status: int
) -> None:
    assert classify.of_error_event(error_type, ours=ours) == verdict(row)
    assert classify.status_of_event(error_type) == status


def test_an_unusable_200_is_the_providers_failure() -> None:
    assert classify.of_unusable() == verdict(UNUSABLE)


def test_a_credential_that_could_not_be_obtained_is_no_fault_of_the_provider() -> None:
    assert classify.of_missing_credential() == verdict(
        "ourselves none neutral provider credential_refused"
    )


def test_a_client_that_left_says_nothing_about_anybody() -> None:
    assert verdict("none none neutral none answer") == classify.CLIENT_LEFT
