"""How often upstreams are asked while they fail (behaviour 8.3, 10; reliability 21).

The breaker and the retry budget are at their defaults.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from tests.scripted import failures
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.config import provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Script, Upstream
from tests.stress.asking import Asked, ask, body, crowd
from tests.stress.conftest import IS_FULL, Seed, StartRelay, size

WORKERS: Final = 2
CLIENTS: Final = 24
REQUESTS: Final = 1000
# The reserve of one worker (10) covers them all, should one worker get every connection: whoever
# fails in the same moment as all the others needs a second attempt, too.
FEW_CLIENTS: Final = 10
REQUESTS_EACH: Final = 500
MOST_PER_REQUEST: Final = 1.2
PATIENCE_S: Final = 8.0
NEVER_OPENS: Final = {"circuit_breaker": {"failure_threshold": 1_000_000}}

_FAILURES: Final = (
    says_error(503, "overloaded_error"),
    says_nothing("reset"),
    says_nothing("open"),  # until `first_byte_ms`
)


def _settings(*providers: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"server": {}, "providers": list(providers)} | sections


def _entries(upstreams: list[Upstream], **of_first: Any) -> list[dict[str, Any]]:
    entries = [
        provider(name, upstream, f"key-{name}", timeouts={"first_byte_ms": 1000})
        for name, upstream in zip("abc", upstreams, strict=True)
    ]
    entries[0] |= of_first
    return entries


def _load(port: int, clients: int, requests: int) -> list[Asked]:
    def one(number: int) -> Asked:
        return ask(port, f"r{number}", body(stream=number % 2 == 0))

    return crowd(clients, one, range(requests))


def _asked(*upstreams: Upstream) -> int:
    """How many messages were sent there; active probes are none."""
    return sum(r.method == "POST" for upstream in upstreams for r in upstream.requests)


def _mixed(seed: Seed, name: str) -> Script:
    def answer(request: Recorded) -> Answer:
        return seed.chance(name, request.header("x-request-id")).choice(_FAILURES)

    return answer


def _check_honest(answers: list[Asked]) -> None:
    for one in answers:
        assert one.is_error, one
        assert one.status in (502, 503, 504), one
        assert one.took_s < PATIENCE_S, one


@pytest.mark.parametrize("health", [{}, NEVER_OPENS], ids=["breaker", "budget alone"])
def test_while_all_fail_attempts_stay_near_the_number_of_requests(
    start_relay: StartRelay,
    upstreams: list[Upstream],
    seed: Seed,
    figure: Callable[[str], None],
    health: Mapping[str, Any],
) -> None:
    """With the breaker, and by the retry budget alone."""
    for name, upstream in zip("abc", upstreams, strict=True):
        upstream.answers_with(_mixed(seed, name))
    relay = start_relay(_settings(*_entries(upstreams), health=health), workers=WORKERS)
    requests = size(200, full=REQUESTS) if health else REQUESTS

    answers = _load(relay.port, CLIENTS, requests)

    reserve = 10 * WORKERS if health else 0
    statuses = dict(Counter(one.status for one in answers))
    figure(f"{_asked(*upstreams) / requests:.3f} attempts a request, answers {statuses}")
    assert _asked(*upstreams) <= MOST_PER_REQUEST * requests + reserve
    assert _asked(*upstreams) > 3, "nobody was asked"
    _check_honest(answers)


REFUSED: Final = "refused"
_ONE_FAILS: Final[Mapping[str, Answer | str]] = {
    "503": says_error(503, "overloaded_error"),
    "529": says_error(529, "overloaded_error"),
    "refused": REFUSED,
    "reset": says_nothing("reset"),
    "overloaded event": failures.first_event_error("overloaded_error"),
}


def _text(request: Recorded) -> Answer:
    return streams() if b'"stream"' in request.body else says_message()


def _ways() -> Iterator[tuple[str, str]]:
    """Every kind, in CI with one strategy or the other."""
    strategies = ("failover", "round_robin")
    for number, kind in enumerate(_ONE_FAILS):
        for strategy in strategies if IS_FULL else strategies[number % 2 :][:1]:
            yield kind, strategy


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay) -> Relay:
    return start_relay(_settings(provider("before", "http://127.0.0.1:1", "k")), workers=WORKERS)


@pytest.mark.parametrize(("kind", "strategy"), list(_ways()))
def test_while_one_of_three_fails_no_client_sees_an_error(
    relay: Relay, upstreams: list[Upstream], kind: str, strategy: str
) -> None:
    failing = _ONE_FAILS[kind]
    of_first = {}
    if isinstance(failing, Answer):
        upstreams[0].answers_with(failing)
    else:
        of_first = {"base_url": "http://127.0.0.1:1"}
    for well in upstreams[1:]:
        well.answers_with(_text)
    entries = _entries(upstreams, **of_first)
    for entry in entries:  # with names of its own, nothing is known of it
        entry["name"] += f" of {kind} {strategy}"
    relay.reload(_settings(*entries, routing={"strategy": strategy}))

    answers = _load(relay.port, FEW_CLIENTS, REQUESTS_EACH)

    assert [one for one in answers if not one.is_whole] == []
    assert _asked(*upstreams[1:]) == REQUESTS_EACH, "somebody was asked twice for one answer"
    if isinstance(failing, Answer):
        assert _asked(upstreams[0]) > 0, "the failing one was never asked"
        assert _asked(upstreams[0]) < REQUESTS_EACH / 5, "it was asked on and on"
