"""The line of an exchange is written without a LogRecord, unless somebody else wants to see one."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from relay.observe import logs
from relay.observe.access import ExchangeRecord, log_exchange
from relay.secret import Secret

log = logging.getLogger("relay.access")
ours = logging.getLogger("relay")

SERVED = ExchangeRecord(
    request_id="r1",
    client="alice",
    method="POST",
    path="/v1/messages",
    status=200,
    outcome="complete",
    duration_ms=1200,
    first_byte_ms=0,
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


def configure(output: Path, *secrets: str, level: logs.Level = "info") -> None:
    known = [Secret(secret) for secret in secrets]
    logs.configure(level=level, format="json", output=str(output), secrets=known)


def is_short() -> bool:
    return logs.sole_handler(log, logging.INFO) is not None


def documents(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.mark.parametrize(
    "record",
    [
        SERVED,
        replace(SERVED, status=503, outcome="overloaded_error", cost_usd=0.25),
        ExchangeRecord(
            request_id="", method="GET", path="", status=404, outcome="x", duration_ms=0, attempts=0
        ),
        replace(SERVED, model="\ud800", path="\x1b[2J\u2028\x7f"),
        replace(SERVED, model="sk-abc", mutations=("to sk-abc",)),
    ],
    ids=["served", "failed", "refused", "hostile", "secret"],
)
@pytest.mark.parametrize("format", ["json", "console"])
def test_the_short_way_and_the_long_way_write_the_same(
    output: Path, record: ExchangeRecord, format: logs.Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1795575600.0459)
    logs.configure(level="info", format=format, output=str(output))

    assert is_short()
    log_exchange(record)
    ours.handlers[0].addFilter(lambda _: True)
    assert not is_short()
    log_exchange(record)

    short, long = output.read_text().splitlines()
    assert short == long
    assert short.isprintable()


def test_what_never_happened_is_not_in_the_line(output: Path) -> None:
    configure(output)

    log_exchange(
        replace(SERVED, client="", first_byte_ms=None, cache_read=None, model_sent="", mutations=())
    )

    (document,) = documents(output)
    assert list(document) == [
        *("level", "time", "message", "request_id", "method", "path", "status", "outcome"),
        *("duration_ms", "provider", "key", "model", "attempts"),
        *("input_tokens", "output_tokens", "cache_write"),
    ]


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)

    def filter(self, record: logging.LogRecord) -> bool:
        self.heard.append(record)
        return True


def _hook(listener: Listener, patch: pytest.MonkeyPatch) -> None:
    original = logging.Logger.callHandlers

    def hooked(self: logging.Logger, record: logging.LogRecord) -> None:
        listener.emit(record)
        original(self, record)

    patch.setattr(logging.Logger, "callHandlers", hooked)


def _propagate(listener: Listener, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ours, "propagate", True)
    patch.setattr(logging.getLogger(), "handlers", [listener])


LISTENING: dict[str, Callable[[Listener, pytest.MonkeyPatch], None]] = {
    "a handler on relay": lambda own, patch: patch.setattr(ours, "handlers", [*ours.handlers, own]),
    "a handler on relay.access": lambda own, patch: patch.setattr(log, "handlers", [own]),
    "a filter on relay.access": lambda own, patch: patch.setattr(log, "filters", [own]),
    "a filter on our handler": lambda own, _: ours.handlers[0].addFilter(own),
    "a hook for all records": _hook,
    "a handler on the root": _propagate,
}


@pytest.mark.parametrize("how", LISTENING)
def test_whoever_listens_sees_the_record_with_every_field(
    output: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(output)
    listener = Listener()
    LISTENING[how](listener, monkeypatch)

    log_exchange(replace(SERVED, client="", cost_usd=None))

    record = listener.heard[0]
    assert (record.name, record.levelname) == ("relay.access", "INFO")
    assert record.getMessage() == "exchange ended"
    fields = record.__dict__["fields"]
    assert (fields["request_id"], fields["cache_write"]) == ("r1", 0)
    assert fields["client"] is fields["cost_usd"] is None
    assert fields["mutations"] == ["model: claude-x → m1"]
    assert len(documents(output)) == 1


@pytest.mark.parametrize("where", ["logger", "handler"])
def test_a_filter_can_keep_the_line_back(
    output: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(output)
    monkeypatch.setattr(log if where == "logger" else ours.handlers[0], "filters", [lambda _: 0])

    log_exchange(SERVED)

    assert output.read_text() == ""


def test_a_handler_with_a_level_and_a_logger_without_propagation_are_heeded(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(output)
    ours.handlers[0].setLevel(logging.ERROR)
    log_exchange(SERVED)
    log_exchange(replace(SERVED, status=500))
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(logging, "lastResort", logging.NullHandler())
    log_exchange(replace(SERVED, status=501))

    assert [document["status"] for document in documents(output)] == [500]


def test_levels_below_the_configured_one_are_silent(output: Path) -> None:
    configure(output, level="warn")

    log_exchange(SERVED)
    log_exchange(replace(SERVED, status=400))

    assert [document["status"] for document in documents(output)] == [400]


TEXTS = [
    *("request_id", "client", "method", "path", "outcome"),
    *("provider", "key", "model", "model_sent", "mutations"),
]


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", ["the pass-phrase-1", "Bearer tok-1", "sk-abc"])
def test_a_secret_in_any_text_of_the_line_is_redacted(output: Path, field: str, text: str) -> None:
    configure(output, "pass-phrase-1")

    for _ in range(2):  # the second time it is known already
        log_exchange(replace(SERVED, **{field: [text] if field == "mutations" else text}))

    said = output.read_text()
    assert said.count("[redacted]") == 2
    for part in ("pass-phrase", "tok-1", "sk-abc"):
        assert part not in said


def test_a_text_that_was_harmless_is_a_secret_when_the_configuration_says_so(output: Path) -> None:
    configure(output)
    log_exchange(SERVED)
    configure(output, "claude-x")
    log_exchange(SERVED)

    assert [document["model"] for document in documents(output)] == ["claude-x", "[redacted]"]


def test_a_full_disk_and_a_closed_output_stop_nobody(output: Path) -> None:
    configure(Path("/dev/full"))
    log_exchange(SERVED)
    configure(output)
    ours.handlers[0].close()

    log_exchange(SERVED)

    assert output.read_text() == ""
