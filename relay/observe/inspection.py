"""What is logged only where somebody looks for a fault: bodies, headers, TLS (behaviour 12.2).

At level debug and by `logging.debug_options`; secrets are taken out before anything is cut.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.observe.redact import REDACTED, Redactor

log = logging.getLogger("relay.inspection")

_MASKED: Final = frozenset({"set-cookie", "authorization", "x-api-key", "cookie", "location"})


@dataclass(frozen=True, slots=True)
class Inspection:
    """The debug options of one configuration. Each method does nothing unless it was asked for."""

    redactor: Redactor
    bodies: bool
    response_headers: bool
    tls: bool
    max_body_bytes: int

    def request_body(self, request_id: str, body: bytes) -> None:
        """A client's body, as it came."""
        if self.bodies and log.isEnabledFor(logging.DEBUG):
            shown = self.redactor.body(body, self.max_body_bytes)
            fields = {"request_id": request_id, "bytes": len(body), "body": shown}
            log.debug("request body", extra={"fields": fields})

    def response(
        self, request_id: str, provider: str, status: int, headers: Sequence[tuple[str, str]]
    ) -> None:
        """An upstream's status and headers."""
        if self.response_headers and log.isEnabledFor(logging.DEBUG):
            shown = [f"{name}: {REDACTED if name in _MASKED else value}" for name, value in headers]
            fields = {
                "request_id": request_id,
                "provider": provider,
                "status": status,
                "headers": shown,
            }
            log.debug("response headers", extra={"fields": fields})

    def handshake(self, provider: str, version: str, resumed: bool, seconds: float) -> None:  # noqa: FBT001  the shape of `relay.upstream.tls.OnHandshake`
        """How a TLS connection came to be; `resumed`: with the session of an earlier one."""
        if self.tls and log.isEnabledFor(logging.DEBUG):
            fields = {
                "provider": provider,
                "tls_version": version,
                "resumed": resumed,
                "handshake_ms": round(seconds * 1000),
            }
            log.debug("tls", extra={"fields": fields})
