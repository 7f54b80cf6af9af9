"""A hedge that nobody can take costs nothing (behaviour 8.1, 8.3)."""

from typing import Final

from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream
from tests.stress.asking import ask, body
from tests.stress.conftest import StartRelay

RESERVE: Final = 2


def test_a_slow_provider_alone_uses_no_budget(
    start_relay: StartRelay, upstreams: list[Upstream]
) -> None:
    routing = {"hedge_after_ms": 50, "retry_budget": {"ratio": 0.0, "reserve": RESERVE}}
    settings = config(provider("p", upstreams[0], "k1", "k2"), routing=routing)
    relay = start_relay(settings, workers=1)
    upstreams[0].answers_with(says_message(before=(0.15,)))
    for number in range(RESERVE):
        assert ask(relay.port, f"slow{number}", body()).is_whole

    def throttled(request: Recorded) -> Answer:
        if request.header("x-api-key") == "k2":
            return says_message()
        return says_error(429, "rate_limit_error", headers={"retry-after-ms": "1"})

    upstreams[0].answers_with(throttled)
    asked = [ask(relay.port, f"again{number}", body()) for number in range(RESERVE)]

    assert [one for one in asked if not one.is_whole] == [], "the other key was not tried"
