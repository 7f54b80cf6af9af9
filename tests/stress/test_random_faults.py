"""Random faults at random places of providers' answers (behaviour 8; reliability 3, 4, 19, 29).

What each provider sent for which request is known, so that every byte a client gets is accounted
for: it is a provider's, of one provider only, and what ends too early ends visibly.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tests.scripted.answers import Answer
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until
from tests.stress.asking import Asked, ask, body, crowd
from tests.stress.conftest import Seed, StartRelay, size
from tests.stress.faults import KINDS, PLACES, Fault, draw
from tests.stress.verdict import wrongs

FAULTS: Final = size(125, full=500)
"""In each of four ways to route."""
CLIENTS: Final = 24
RATE: Final = 0.7
# Two silent providers, and a machine that is busy.
PATIENCE_S: Final = 10.0
MARKS: Final = {"a": "ALPHA", "b": "BRAVO", "c": "CHARLIE"}
# As `messages.USAGE`, in the words of the log.
USAGE: Final = {"input_tokens": 11, "output_tokens": 7, "cache_read": 5, "cache_write": 3}

_ROUTINGS: Final[Mapping[str, dict[str, Any]]] = {
    "waiting": {},
    "committing early": {"gate": {"first_event_ms": 1000}},
    "taking turns": {"strategy": "round_robin"},
    "hedging": {"hedge_after_ms": 150},
}
_TIMEOUTS: Final[Mapping[str, dict[str, int]]] = {
    "committing early": {"first_byte_ms": 1500, "idle_ms": 1500},
}


class Injector:
    """Answers for all providers, and what it answered."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.sent: dict[str, dict[str, Fault]] = {}
        self.times: Counter[tuple[str, str, str]] = Counter()
        """How often a request came to a provider with a key."""

    def answer(self, name: str, request: Recorded) -> Answer:
        """Draw what the provider does with this request."""
        nonce = request.header("x-request-id") or ""
        key = request.header("x-api-key") or request.header("authorization") or ""
        stream = b'"stream"' in request.body
        chance = self._seed.chance(name, nonce, key)
        fault = draw(chance, MARKS[name], nonce, stream=stream, rate=RATE)
        with self._lock:
            self.times[nonce, name, key] += 1
            self.sent.setdefault(nonce, {})[name] = fault
        return fault.answer

    @property
    def faults(self) -> list[Fault]:
        """Those there were; the last of each provider and request."""
        with self._lock:
            every = [fault for sent in self.sent.values() for fault in sent.values()]
        return [fault for fault in every if fault.kind != "none"]


@pytest.fixture
def injector(seed: Seed, upstreams: list[Upstream]) -> Injector:
    injector = Injector(seed)
    for name, upstream in zip(MARKS, upstreams, strict=True):
        upstream.answers_with(lambda request, name=name: injector.answer(name, request))  # type: ignore[misc]  # bound early, on purpose
    return injector


def _settings(upstreams: list[Upstream], how: str) -> dict[str, Any]:
    timeouts = _TIMEOUTS.get(how, {"first_byte_ms": 1000, "idle_ms": 1000})
    entries = [
        provider(name, upstream, f"{name}-key-1", f"{name}-key-2", timeouts=timeouts)
        for name, upstream in zip(MARKS, upstreams, strict=True)
    ]
    return config(*entries, routing=_ROUTINGS[how])


def _load(port: int, injector: Injector) -> list[Asked]:
    """Ask until there were so many faults."""
    numbers = itertools.count()

    def client(_: int) -> list[Asked]:
        asked = []
        while len(injector.faults) < FAULTS:
            number = next(numbers)
            asked.append(ask(port, f"n{number}n", body(stream=number % 3 != 0)))
        return asked

    return [one for asked in crowd(CLIENTS, client, range(CLIENTS)) for one in asked]


def _miscounted(relay: Relay, asked: list[Asked], since: int) -> list[tuple[Asked, dict[str, Any]]]:
    """Whole answers of which something else was logged than the provider said."""
    whole = {one.request_id: one for one in asked if one.is_whole}

    def records() -> dict[str, dict[str, Any]] | None:
        found = {r["request_id"]: r for r in relay.records(since) if "duration_ms" in r}
        return found if found.keys() >= whole.keys() else None

    logged = until("a record of each", records)
    return [
        (one, logged[name])
        for name, one in whole.items()
        if {field: logged[name].get(field) for field in USAGE} != USAGE
    ]


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay) -> Relay:
    return start_relay(config(provider("before", "http://127.0.0.1:1", "k")))


@pytest.mark.parametrize("how", _ROUTINGS)
def test_every_answer_is_one_providers_and_whole_or_visibly_broken(
    relay: Relay,
    upstreams: list[Upstream],
    injector: Injector,
    how: str,
    figure: Callable[[str], None],
) -> None:
    relay.reload(_settings(upstreams, how))
    said = len(relay.output().encode())
    workers = relay.workers

    asked = _load(relay.port, injector)

    found = [
        (wrong, one, injector.sent.get(one.request_id))
        for one in asked
        for wrong in wrongs(one, injector.sent.get(one.request_id, {}), MARKS)
    ]
    assert found == []
    assert [one for one in asked if one.took_s > PATIENCE_S] == []
    assert [times for times in injector.times.items() if times[1] > 1] == [], "sent twice"
    assert {fault.kind for fault in injector.faults} == set(KINDS), "not every fault was tried"
    assert {fault.place for fault in injector.faults} == set(PLACES)
    whole = sum(one.is_whole for one in asked)
    assert 0 < whole < len(asked)
    figure(f"{len(injector.faults)} faults: {whole} of {len(asked)} whole")
    assert _miscounted(relay, asked, said) == []
    assert relay.workers == workers, "a worker was lost"
    assert "Traceback" not in relay.output()
