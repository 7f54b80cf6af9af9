"""The one line of an exchange."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from relay.observe.access import ExchangeRecord, log_began, log_exchange, log_refusal

SERVED = ExchangeRecord(
    request_id="r1",
    client="",
    method="POST",
    path="/v1/messages",
    status=200,
    outcome="complete",
    duration_ms=1200,
    first_byte_ms=300,
    provider="p",
    key="p/0",
    model="claude-x",
    model_sent="m1",
    attempts=1,
    input_tokens=10,
    output_tokens=20,
    cache_read=30,
    cache_write=0,
    mutations=("model: claude-x → m1",),
)


def said(caplog: pytest.LogCaptureFixture) -> tuple[str, str, dict[str, Any]]:
    (record,) = caplog.records
    fields = {name: value for name, value in record.__dict__["fields"].items() if value is not None}
    return record.levelname, record.message, fields


@pytest.fixture(autouse=True)
def _hear_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="relay.access")


def test_an_exchange_is_told_in_one_line_with_tokens_and_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_exchange(SERVED)

    assert said(caplog) == (
        "INFO",
        "exchange ended",
        {
            "request_id": "r1",
            "method": "POST",
            "path": "/v1/messages",
            "status": 200,
            "outcome": "complete",
            "duration_ms": 1200,
            "first_byte_ms": 300,
            "provider": "p",
            "key": "p/0",
            "model": "claude-x",
            "model_sent": "m1",
            "attempts": 1,
            "input_tokens": 10,
            "output_tokens": 20,
            "cache_read": 30,
            "cache_write": 0,
            "mutations": ["model: claude-x → m1"],
        },
    )


@pytest.mark.parametrize(
    ("status", "outcome", "level"),
    [
        (200, "complete", "INFO"),
        (200, "client_left", "INFO"),
        (200, "broken", "ERROR"),
        (200, "silent", "ERROR"),
        (200, "errored", "ERROR"),
        (200, "refused", "ERROR"),
        (200, "drained", "ERROR"),
        (400, "complete", "WARNING"),
        (429, "rate_limit_error", "WARNING"),
        (499, "client_left", "WARNING"),
        (500, "complete", "ERROR"),
        (503, "overloaded_error", "ERROR"),
    ],
)
def test_the_level_tells_how_it_ended(
    caplog: pytest.LogCaptureFixture, status: int, outcome: str, level: str
) -> None:
    log_exchange(replace(SERVED, status=status, outcome=outcome))

    assert said(caplog)[0] == level


def test_what_never_happened_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    log_exchange(
        replace(
            SERVED,
            status=401,
            outcome="authentication_error",
            first_byte_ms=None,
            provider="",
            key="",
            model="",
            model_sent="",
            attempts=0,
            input_tokens=None,
            output_tokens=None,
            cache_read=None,
            cache_write=None,
            mutations=(),
        )
    )

    assert set(said(caplog)[2]) == {
        *("request_id", "method", "path", "status", "outcome", "duration_ms", "attempts")
    }


def test_a_name_as_long_as_a_body_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    endless = "m" * 100_000

    log_exchange(replace(SERVED, model=endless, model_sent=endless, mutations=(endless,)))

    assert len(str(said(caplog)[2])) < 2000


def test_a_refusal_and_a_beginning_are_told(caplog: pytest.LogCaptureFixture) -> None:
    log_refusal("invalid x-api-key")

    assert said(caplog) == ("WARNING", "authentication refused", {"reason": "invalid x-api-key"})
    caplog.clear()
    log_began("r1", "POST", "/v1/messages")
    assert said(caplog) == (
        "DEBUG",
        "exchange began",
        {"request_id": "r1", "method": "POST", "path": "/v1/messages"},
    )
