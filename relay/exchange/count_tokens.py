"""`count_tokens` where the upstream has none: a local estimate (behaviour 4.10)."""

from typing import Final

import msgspec

from relay.exchange.inbound import Inbound
from relay.exchange.lasting import Lasting
from relay.exchange.reply import Reply
from relay.exchange.upstream import Upstream
from relay.messages.estimate import estimate

UNKNOWN_HERE: Final = frozenset({404, 405, 501})
"""Statuses by which an upstream says that it counts no tokens."""

_REMEMBERED_S: Final = 3600.0


def remember(lasting: Lasting, upstream: Upstream) -> None:
    """Do not ask this upstream to count for an hour."""
    lasting.uncounted[upstream.name, upstream.base_url] = lasting.clock.monotonic() + _REMEMBERED_S


def is_unknown(lasting: Lasting, upstream: Upstream) -> bool:
    """Whether the upstream said within the hour that it counts no tokens."""
    until = lasting.uncounted.get((upstream.name, upstream.base_url), 0.0)
    return until > lasting.clock.monotonic()


def estimated(inbound: Inbound) -> Reply:
    """The estimate as the endpoint would answer it."""
    body = msgspec.json.encode({"input_tokens": estimate(inbound.body)})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Reply(200, headers, (body,))
