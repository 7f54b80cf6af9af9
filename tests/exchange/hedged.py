"""A relay that asks a second provider beside a silent first one, and its answers."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.exchange import routed
from tests.exchange.driving import Driven
from tests.scripted import messages
from tests.scripted.answers import Answer, says_message, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream

HEDGE_MS = 100
SLOW_S = 10.0

QUICK: Mapping[bytes, Callable[[str], Answer]] = {
    MSG: says_message,
    STREAM_MSG: lambda text: streams(*messages.text_stream(text)),
}
"""An answer to each request that says this."""


def hedging(*providers: dict[str, Any], **routing: Any) -> dict[str, Any]:
    """A relay that asks a second provider after 0.1 s; one failure opens a breaker."""
    settings = config(*providers, routing={"hedge_after_ms": HEDGE_MS, "debug": True, **routing})
    return settings | {"health": routed.breaker()}


def two(a: Upstream, b: Upstream, *keys: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A, which is asked first, and B."""
    return provider("A", a, *(keys or ["a1"]), priority=2), provider("B", b, "b1", priority=1)


def is_over(driven: Driven) -> bool:
    """Whether nothing is held for anybody any more."""
    running = driven.lasting.running
    return not running.attempts and not running.count


def budget(driven: Driven) -> float:
    """How many further attempts there is room for."""
    return driven.lasting.retries.left(driven.runtime.config.routing.retry_budget)


def cancelled(request: Recorded) -> bool:
    """Whether its connection is closed within a second."""
    return request.closed.wait(1.0)


def late(answer: Answer, seconds: float) -> Answer:
    """The same after so long."""
    return Answer(
        answer.status, answer.headers, answer.steps, answer.framing, (seconds,), answer.ends
    )
