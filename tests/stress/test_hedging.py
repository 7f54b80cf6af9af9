"""Hedging under load: the first content wins, the other is cancelled, and nothing stays (8.1).

Two providers, each slow at random: before its head, or between its first event and its content.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from relay.exchange.ordering import load_name
from relay.secret import Secret
from relay.state.opening import open_store
from tests.scripted import messages
from tests.scripted.answers import Answer, Step, says_message, streams
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Script, Upstream
from tests.scripted.waiting import until
from tests.stress.asking import Asked, ask, body, crowd
from tests.stress.conftest import Seed, StartRelay, size

REQUESTS: Final = size(150, full=1000)
CLIENTS: Final = 12
WORKERS: Final = 2
HEDGE_AFTER_MS: Final = 100
SLOW_S: Final = 0.4
STUCK_S: Final = 3.0
MARKS: Final = ("ALPHA", "BRAVO")
CANCELLED_WITHIN_S: Final = 1.0
RESERVE: Final = 10
RATIO: Final = 0.2


def _slow(seed: Seed, mark: str) -> Script:
    def answer(request: Recorded) -> Answer:
        nonce = request.header("x-request-id")
        chance = seed.chance(mark, nonce)
        is_stuck = seed.chance("stuck", nonce).choice(["", *MARKS]) == mark  # never both
        before = (STUCK_S if is_stuck else chance.choice([0.0, SLOW_S]),)
        if b'"stream"' not in request.body:
            return says_message(f"{mark}-{nonce}", before=before)
        begun, *rest = messages.text_stream(f"{mark}-{nonce}", f"{mark}-{nonce}-2")
        pause: list[Step] = [chance.choice([0.0, 0.0, SLOW_S])]
        return streams(begun, *pause, *rest, before=before)

    return answer


def _settings(upstreams: list[Upstream], **routing: Any) -> dict[str, Any]:
    entries = [
        provider(name, upstream, f"{name}-1")
        for name, upstream in zip("ab", upstreams, strict=False)
    ]
    return config(*entries, routing={"hedge_after_ms": HEDGE_AFTER_MS} | routing)


def _load(relay: Relay) -> list[Asked]:
    def one(number: int) -> Asked:
        return ask(relay.port, f"n{number}n", body(stream=number % 3 != 0))

    return crowd(CLIENTS, one, range(REQUESTS))


def _winner(one: Asked) -> str:
    marks = [mark for mark in MARKS if mark.encode() in one.body]
    assert len(marks) == 1, one
    assert f"{marks[0]}-{one.request_id}".encode() in one.body
    return marks[0]


def test_one_wins_and_the_other_is_cancelled(
    start_relay: StartRelay, upstreams: list[Upstream], seed: Seed, figure: Callable[[str], None]
) -> None:
    for mark, upstream in zip(MARKS, upstreams, strict=False):
        upstream.answers_with(_slow(seed, mark))
    relay = start_relay(_settings(upstreams, strategy="least_loaded"), workers=WORKERS)

    asked = _load(relay)

    assert [one for one in asked if not one.is_whole] == []
    winners = {one.request_id: _winner(one) for one in asked}
    hedges = sum(len(upstream.requests) for upstream in upstreams) - REQUESTS
    figure(f"{dict(Counter(winners.values()))}, {hedges} hedges")
    assert hedges > REQUESTS // 10
    assert len(set(winners.values())) == 2, "only one of them ever won"
    ended_at = {one.request_id: one.sent_at + one.took_s for one in asked}
    for mark, upstream in zip(MARKS, upstreams, strict=False):
        names = [request.header("x-request-id") or "" for request in upstream.requests]
        assert len(set(names)) == len(names), "sent twice"
        for request, name in zip(upstream.requests, names, strict=True):
            if winners[name] != mark:
                assert request.closed.wait(CANCELLED_WITHIN_S), f"{name} goes on"
                assert (request.closed_at or 0) - ended_at[name] < CANCELLED_WITHIN_S, name
    until("nobody is counted any more", lambda: _held(relay) == {"a": 0, "b": 0})


def _held(relay: Relay) -> dict[str, int]:
    """How many exchanges each provider has, as the relay's store counts them."""
    store = open_store(Secret("lmdb:"), relay.folder / "state")
    try:
        loads = store.loads([load_name(name) for name in "ab"])
    finally:
        store.close()
    assert all(load.taken_at for load in loads), "it never counted any"
    return {name: load.held for name, load in zip("ab", loads, strict=True)}


def test_hedges_take_from_the_retry_budget(
    start_relay: StartRelay, upstreams: list[Upstream], figure: Callable[[str], None]
) -> None:
    """Where one is slow with everything, twice the requests would be sent."""
    upstreams[0].answers_with(says_message(before=(SLOW_S,)))
    budget = {"ratio": RATIO, "reserve": RESERVE}
    relay = start_relay(_settings(upstreams, retry_budget=budget), workers=WORKERS)

    asked = _load(relay)

    assert [one for one in asked if not one.is_whole] == []
    attempts = sum(len(upstream.requests) for upstream in upstreams)
    figure(f"{attempts / REQUESTS:.2f} attempts a request")
    assert attempts > REQUESTS, "nothing was hedged"
    assert attempts <= REQUESTS * (1 + RATIO) + WORKERS * RESERVE
