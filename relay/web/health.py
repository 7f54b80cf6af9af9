"""Whether the relay runs and can serve, and Claude Code's warm-up. Nobody is authenticated."""

from typing import Final

import msgspec
from flask import Blueprint

from relay.exchange.reply import Reply
from relay.web import current
from relay.web.response import PreparedResponse

health = Blueprint("health", __name__)

_OK: Final = b'{"status":"ok"}'


@health.get("/health")
@health.get("/")
@health.get("/api/hello")
def alive() -> PreparedResponse:
    """Answered at once; no provider is asked."""
    return _json(200, _OK)


@health.get("/health/ready")
def ready() -> PreparedResponse:
    """200 when some provider can take a request, else 503 with the reasons."""
    reasons = current.relay().runtime.unready()
    if not reasons:
        return _json(200, b'{"status":"ready"}')
    return _json(503, msgspec.json.encode({"status": "not ready", "reasons": reasons}))


def _json(status: int, body: bytes) -> PreparedResponse:
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return PreparedResponse(Reply(status, headers, (body,)))
