"""`logging:` — what is written, how, and where."""

from collections.abc import Mapping
from typing import Any

from relay.config.model import DebugOptionsConfig, LoggingConfig
from relay.config.schema.collections import Part
from relay.config.schema.numbers import Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Location, Switch, Word


class DebugOptionsSection(Section):
    """What is logged beyond one line an exchange."""

    fills = DebugOptionsConfig
    log_request_body = Switch("the request body at level debug, redacted", default=False)
    log_response_headers = Switch("upstream response headers at debug, masked", default=False)
    log_tls_metrics = Switch("TLS version, reuse and handshake time at debug", default=False)
    max_body_log_size = Whole(
        "bytes of a logged body, cut after redaction; 0 = the default", default=1000, zero=1000
    )


class LoggingSection(Section):
    """What is written, how, and where."""

    fills = LoggingConfig
    level = Word(
        "the least important level that is written, in any case",
        words=("debug", "info", "warn", "error"),
        any_case=True,
        default="info",
    )
    format = Word(
        '"" = console on a terminal, else JSON; `text` and `pretty` mean `console`',
        words=("", "json", "console", "text", "pretty"),
        any_case=True,
        default="",
    )
    output = Location(
        "`stdout`, `stderr`, or a path (opened append, 0600)",
        default="stdout",
        refused="a path that is a folder, or whose folder is missing",
    )
    pretty = Switch("the same as format `pretty`, where `format` is empty", default=False)
    debug_options = Part(DebugOptionsSection)

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> LoggingConfig:
        word: Any = values["format"] or ("pretty" if values["pretty"] else "")
        return LoggingConfig(
            level=values["level"],
            format="console" if word in {"text", "pretty"} else word,
            output=values["output"] or "stdout",
            debug_options=values["debug_options"],
        )
