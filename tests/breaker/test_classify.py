"""Every row of behaviour 8.2."""

from dataclasses import replace

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
from relay.messages.events import ErrorReport

OURS, THEIRS = True, False


def verdict(row: str) -> Verdict:
    """A verdict from its five words, in the order of the table."""
    scope, key, counts, following, left = row.upper().split()
    return Verdict(Scope[scope], KeyFate[key], Counts[counts], Next[following], Left[left])


REQUEST = "request none success none answer"
PROVIDER = "provider none failure provider answer"
UNUSABLE = "provider none failure provider failed"
REDIRECTED = "edge none failure provider failed"
EDGE = "edge none failure provider answer"
THROTTLED = "throttle rests success key answer"

STATUSES = [
    *[(status, ours, "none none success none answer") for status in (200, 204) for ours in (0, 1)],
    *[(status, ours, REDIRECTED) for status in (301, 302, 304, 307) for ours in (0, 1)],
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
    (429, OURS, THROTTLED),
    (429, THEIRS, "client none neutral none answer"),
    *[(status, ours, PROVIDER) for status in (500, 501, 502, 503, 504, 529) for ours in (0, 1)],
    *[(status, ours, EDGE) for status in (520, 521, 524, 527, 530) for ours in (0, 1)],
    (531, OURS, PROVIDER),
]


@pytest.mark.parametrize(("status", "ours", "row"), STATUSES)
def test_an_answer_is_judged_by_status_and_whose_credential_it_was(
    status: int, ours: int, row: str
) -> None:
    assert classify.of_status(status, ours=bool(ours)) == verdict(row)


@pytest.mark.parametrize(
    ("resets_in_s", "scope"),
    [
        (None, Scope.THROTTLE),
        (1.0, Scope.THROTTLE),
        (300.0, Scope.THROTTLE),
        (300.5, Scope.ACCOUNT),
        (3600.0, Scope.ACCOUNT),
    ],
)
def test_a_limit_that_ends_far_away_is_the_accounts_window_and_the_key_rests_all_the_same(
    resets_in_s: float | None, scope: Scope
) -> None:
    judged = classify.of_status(429, ours=True, resets_in_s=resets_in_s)
    of_event = classify.of_error_event("rate_limit_error", ours=True, resets_in_s=resets_in_s)

    assert judged == of_event == replace(verdict(THROTTLED), scope=scope)


def test_how_far_a_limit_of_the_clients_own_account_reaches_is_nothing_to_us() -> None:
    judged = classify.of_status(429, ours=False, resets_in_s=9000)

    assert judged == verdict("client none neutral none answer")


@pytest.mark.parametrize(
    ("status", "error", "scope"),
    [
        (404, ErrorReport("not_found_error", "model: claude-nine"), Scope.MODEL),
        (404, ErrorReport("not_found_error", "Model not found"), Scope.MODEL),
        (404, ErrorReport("not_found_error", "no such batch"), Scope.REQUEST),
        (404, ErrorReport("api_error", "model: claude-nine"), Scope.REQUEST),
        (404, None, Scope.REQUEST),
        (400, ErrorReport("not_found_error", "model: claude-nine"), Scope.REQUEST),
    ],
)
def test_a_model_that_is_not_found_is_told_from_other_requests(
    status: int, error: ErrorReport | None, scope: Scope
) -> None:
    judged = classify.of_status(status, ours=True, error=error)

    assert judged == replace(verdict(REQUEST), scope=scope)


def test_an_event_about_a_model_is_judged_as_the_status_is() -> None:
    judged = classify.of_error_event("not_found_error", ours=True, message="model: claude-nine")

    assert judged.scope is Scope.MODEL


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("text/html", EDGE),
        ("Text/HTML; charset=utf-8", EDGE),
        ("application/xhtml+xml", EDGE),
        ("application/json", PROVIDER),
        ("text/plain", PROVIDER),
    ],
)
def test_a_page_with_a_failure_comes_from_a_machine_in_front(kind: str, row: str) -> None:
    headers = [("server", "text/html"), ("content-type", kind)]

    assert classify.of_status(502, ours=True, headers=headers) == verdict(row)


@pytest.mark.parametrize(
    ("status", "row"), [(403, "key set_aside success key credential_refused"), (400, REQUEST)]
)
def test_a_page_changes_nothing_of_what_a_refusal_means(status: int, row: str) -> None:
    judged = classify.of_status(status, ours=True, headers=[("content-type", "text/html")])

    assert judged == verdict(row)


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
    ("rate_limit_error", OURS, THROTTLED, 429),
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
