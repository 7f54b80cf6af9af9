"""Several who wait for one key that rests: served together, and told in vain waits (9.7)."""

from typing import Final

import pytest

from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.stress.asking import ask, body, crowd
from tests.stress.conftest import StartRelay

QUEUE_MS: Final = 2500
REST_S: Final = 1.0
ANSWERS_AFTER_S: Final = 0.5
CLIENTS: Final = 8
# The rest, a look into the store, their answers, and a busy machine.
PATIENCE_S: Final = REST_S + 0.25 + ANSWERS_AFTER_S + 1.0


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, _upstreams: list[Upstream]) -> Relay:
    routing = {"queue_ms": QUEUE_MS, "gate": {"first_event_ms": 1000}}
    return start_relay(config(provider("p", _upstreams[0], "k1"), routing=routing), workers=1)


def test_who_has_room_waits_for_nobodys_answer(relay: Relay, upstreams: list[Upstream]) -> None:
    def answer(request: Recorded) -> Answer:
        if request.header("x-request-id") == "first":
            return says_error(429, "rate_limit_error", headers={"retry-after-ms": "1000"})
        return says_message(before=(ANSWERS_AFTER_S,))

    upstreams[0].answers_with(answer)
    ask(relay.port, "first", body())

    asked = crowd(CLIENTS, lambda n: ask(relay.port, f"r{n}", body()), range(CLIENTS))

    assert [one for one in asked if not one.is_whole] == []
    assert max(one.took_s for one in asked) < PATIENCE_S, sorted(one.took_s for one in asked)


def test_streams_that_wait_in_vain_hear_so_and_nothing_is_amiss(
    relay: Relay, upstreams: list[Upstream]
) -> None:
    """The first that may go finds the key throttled again; for the other it is too late then."""
    upstreams[0].answers_with(
        says_error(429, "rate_limit_error", headers={"retry-after-ms": "2000"})
    )
    ask(relay.port, "first", body())

    asked = crowd(2, lambda n: ask(relay.port, f"vain{n}", body(stream=True)), range(2))

    for waited in asked:
        assert (waited.status, waited.is_cut) == (200, True), waited
        *_, (name, event) = messages.events(waited.body)
        assert (name, event["error"]["type"]) == ("error", "rate_limit_error")
    assert "Traceback" not in relay.output()
