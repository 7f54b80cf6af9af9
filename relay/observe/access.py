"""The one line of an exchange, and what else is said about requests (behaviour 12.1)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

log = logging.getLogger("relay.access")

# An exchange that ended so broke a promise, whatever its status was.
_BROKEN: Final = frozenset({"errored", "refused", "broken", "silent", "drained"})

# Names come from clients and may be as long as a body; no real one is longer than this.
_LONGEST_NAME: Final = 256


class CountsTokens(Protocol):
    """What an exchange used."""

    @property
    def input_tokens(self) -> int:
        """Uncached input."""
        ...

    @property
    def output_tokens(self) -> int:
        """Output."""
        ...

    @property
    def cache_read(self) -> int:
        """Input read from the cache."""
        ...

    @property
    def cache_write(self) -> int:
        """Input written to the cache."""
        ...


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """What is told of an exchange when it has ended. Empty texts mean that there was none."""

    request_id: str
    client: str
    """The client key's name."""
    method: str
    path: str
    status: int
    outcome: str
    """`complete`, how a body ended otherwise, or the type of an error made here."""
    duration_ms: int
    first_byte_ms: int | None
    provider: str
    key: str
    model: str
    model_sent: str
    attempts: int
    usage: CountsTokens
    mutations: Sequence[str] = ()
    cost_usd: float | None = None


def log_exchange(record: ExchangeRecord) -> None:
    """Write the exchange's line: error for 5xx and broken streams, warn for 4xx, else info."""
    level = _level(record)
    if log.isEnabledFor(level):
        # Made here: `log.log` would walk the stack for a line number nobody is shown.
        line = logging.LogRecord(log.name, level, "", 0, "exchange ended", (), None)
        line.fields = _fields(record)
        log.handle(line)


def log_began(request_id: str, method: str, path: str) -> None:
    """Say at debug that an exchange began."""
    if log.isEnabledFor(logging.DEBUG):
        fields = {"request_id": request_id, "method": method, "path": path[:_LONGEST_NAME]}
        log.debug("exchange began", extra={"fields": fields})


def log_refusal(reason: str) -> None:
    """Say that a client was not admitted, never with what it presented."""
    log.warning("authentication refused", extra={"fields": {"reason": reason}})


def _level(record: ExchangeRecord) -> int:
    if record.status >= 500 or record.outcome in _BROKEN:  # noqa: PLR2004  5xx
        return logging.ERROR
    return logging.WARNING if record.status >= 400 else logging.INFO  # noqa: PLR2004  4xx


def _fields(record: ExchangeRecord) -> dict[str, object]:
    # Without an attempt nothing can have been used: no zeros for lists and refusals.
    usage = record.usage if record.attempts else None
    return {
        "request_id": record.request_id,
        "client": record.client or None,
        "method": record.method,
        "path": record.path[:_LONGEST_NAME],
        "status": record.status,
        "outcome": record.outcome,
        "duration_ms": record.duration_ms,
        "first_byte_ms": record.first_byte_ms,
        "provider": record.provider or None,
        "key": record.key or None,
        "model": record.model[:_LONGEST_NAME] or None,
        "model_sent": record.model_sent[:_LONGEST_NAME] or None,
        "attempts": record.attempts,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cache_read": usage.cache_read if usage else None,
        "cache_write": usage.cache_write if usage else None,
        "cost_usd": record.cost_usd,
        "mutations": [each[:_LONGEST_NAME] for each in record.mutations] or None,
    }
