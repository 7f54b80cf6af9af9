"""The one line of an exchange, and what else is said about requests (behaviour 12.1)."""

import logging
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from relay.observe import logs
from relay.observe.layout import Event

log = logging.getLogger("relay.access")

_ENDED: Final = "exchange ended"

# An exchange that ended so broke a promise, whatever its status was.
_BROKEN: Final = frozenset({"errored", "refused", "broken", "silent", "drained"})

# Names come from clients and may be as long as a body; no real one is longer than this.
_LONGEST_NAME: Final = 256


class ExchangeRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is told of an exchange when it has ended: the fields of its line, in their order.

    A field that has its default is left out of the line.
    """

    request_id: str
    client: str = ""
    """The client key's name."""
    method: str
    path: str
    status: int
    outcome: str
    """`complete`, how a body ended otherwise, or the type of an error made here."""
    duration_ms: int
    first_byte_ms: int | None = None
    provider: str = ""
    key: str = ""
    model: str = ""
    model_sent: str = ""
    attempts: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cost_usd: float | None = None
    mutations: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.path = self.path[:_LONGEST_NAME]
        self.model = self.model[:_LONGEST_NAME]
        self.model_sent = self.model_sent[:_LONGEST_NAME]
        if self.mutations:
            self.mutations = [each[:_LONGEST_NAME] for each in self.mutations]


def log_exchange(record: ExchangeRecord) -> None:
    """Write the exchange's line: error for 5xx and broken streams, warn for 4xx, else info."""
    level = _level(record)
    if not log.isEnabledFor(level):
        return
    handler = logs.sole_handler(log, level)
    if handler is not None:  # as ever: a LogRecord for nobody would cost more than the line
        event = Event(level, time.time(), _ENDED, record)
        handler.say(event, fresh=record.request_id, recurring=_recurring(record))
    else:
        # Made here: `log.log` would walk the stack for a line number nobody is shown.
        line = logging.LogRecord(log.name, level, "", 0, _ENDED, (), None)
        line.fields = _by_name(record)
        log.handle(line)


def _by_name(record: ExchangeRecord) -> dict[str, object]:
    # Whoever else listens finds each field, with None for what there is not.
    present = msgspec.to_builtins(record)
    return {name: present.get(name) for name in record.__struct_fields__}


def _recurring(record: ExchangeRecord) -> str:
    """All text of the line that other exchanges have, too."""
    return "\n".join(
        (
            _ENDED,
            record.client,
            record.method,
            record.path,
            record.outcome,
            record.provider,
            record.key,
            record.model,
            record.model_sent,
            *record.mutations,
        )
    )


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
