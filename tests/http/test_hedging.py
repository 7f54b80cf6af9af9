"""A second provider is asked beside a silent first one, over real sockets (behaviour 8.1)."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import Answer, says_error, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG, Response
from tests.scripted.config import config, provider
from tests.scripted.fleet import Fleet
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.state.redis_server import IS_LEFT_OUT, LEFT_OUT, RedisServer

HEDGE_MS = 150
TIES = 10


@pytest.fixture
def two(fleet: Fleet) -> Fleet:
    """A is asked first, then B; one failure opens a breaker."""
    fleet.put(
        fleet.entry("A", priority=2),
        fleet.entry("B", priority=1),
        routing={"hedge_after_ms": HEDGE_MS},
        breaker={"failure_threshold": 1},
    )
    return fleet


def answer(text: str, *, stream: bool, after_s: float = 0.0) -> Answer:
    """A message or a stream that says this."""
    if stream:
        return streams(*messages.text_stream(text), before=(after_s,))
    return says_message(text, before=(after_s,))


def told(fleet: Fleet, served: Response) -> tuple[str, int]:
    """Who the log says has answered, and of how many attempts."""
    record = fleet.relay.record_of(served.header("x-request-id") or "")
    return record["provider"], record["attempts"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_answers_for_a_silent_first(two: Fleet, *, stream: bool) -> None:
    two["A"].says(says_nothing("open"))
    two["B"].says(answer("from B", stream=stream))
    began = time.monotonic()

    served = two.post(STREAM_MSG if stream else MSG)

    answered_at = time.monotonic()
    assert HEDGE_MS / 1000 <= answered_at - began < 1
    assert b"from B" in served.content
    assert served.header("x-cc-relay-provider") == two.name("B")
    assert served.header("x-cc-relay-attempts") == "2"
    lost = two["A"].only()
    assert lost.closed.wait(1)
    assert lost.closed_at is not None
    assert lost.closed_at - answered_at < 1
    assert told(two, served) == (two.name("B"), 2)


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_answers_all_the_same_if_it_is_sooner(two: Fleet, *, stream: bool) -> None:
    two["A"].says(answer("from A", stream=stream, after_s=0.4))
    two["B"].says(says_nothing("open"))

    served = two.post(STREAM_MSG if stream else MSG)

    assert b"from A" in served.content
    assert served.header("x-cc-relay-provider") == two.name("A")
    assert served.header("x-cc-relay-attempts") == "2"
    assert two["B"].only().closed.wait(1)
    assert told(two, served) == (two.name("A"), 2)


def test_who_lost_is_asked_again_as_ever(two: Fleet) -> None:
    two["A"].says(*[says_nothing("open")] * 4)
    for _ in range(4):
        assert two.post().status == 200
    assert two.hits == "ABABABAB"

    served = two.post()

    assert served.header("x-cc-relay-provider") == two.name("A")


def test_a_first_that_fails_soon_leaves_the_rest_to_failover(two: Fleet) -> None:
    two["A"].says(says_error(503, "api_error"))
    two["B"].says(answer("from B", stream=True, after_s=0.3))

    served = two.post(STREAM_MSG)

    assert b"from B" in served.content
    assert two.hits == "AB"


def test_when_both_fail_the_last_answer_is_the_client_s(two: Fleet) -> None:
    two["A"].says(_late(says_error(503, "api_error", "from A"), 0.6))
    two["B"].says(says_error(529, "overloaded_error", "from B"))

    served = two.post()

    assert (served.status, b"from A" in served.content) == (503, True)
    assert told(two, served)[1] == 2


def _late(answer: Answer, seconds: float) -> Answer:
    return Answer(
        answer.status, answer.headers, answer.steps, answer.framing, (seconds,), answer.ends
    )


@pytest.mark.parametrize("body", [MSG, STREAM_MSG])
def test_a_client_that_leaves_ends_both(two: Fleet, body: bytes) -> None:
    two["A"].says(says_nothing("open"))
    two["B"].says(says_nothing("open"))
    client = two.begin(body, {"X-Request-ID": f"left-{two.number}"})
    two["B"].wait_for(1)

    client.reset()

    assert two["A"].only().closed.wait(1)
    assert two["B"].only().closed.wait(1)
    record = two.relay.record_of(f"left-{two.number}")
    assert (record["status"], record["outcome"], record["attempts"]) == (499, "client_left", 2)
    assert two.post().header("x-cc-relay-health") == "closed"


@pytest.fixture(scope="module")
def upstreams(start_upstream: Callable[[], Upstream]) -> tuple[Upstream, Upstream]:
    return start_upstream(), start_upstream()


@pytest.fixture(scope="module")
def over_redis(start_relay: StartRelay, upstreams: tuple[Upstream, Upstream]) -> Iterator[Relay]:
    """What is learned when an attempt commits goes over the network here."""
    a, b = upstreams
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        settings = config(
            provider("A", a, "a1", pooling={"strategy": "least_loaded"}),
            provider("B", b, "b1"),
            routing={"hedge_after_ms": HEDGE_MS, "strategy": "latency_based", "debug": True},
            state={"url": redis.url},
        )
        yield start_relay(settings)


@pytest.mark.skipif(IS_LEFT_OUT, reason=LEFT_OUT)
def test_of_two_that_commit_at_the_same_moment_one_is_shown_and_named(
    over_redis: Relay, upstreams: tuple[Upstream, Upstream]
) -> None:
    names: dict[str, str | None] = {}
    for number in range(TIES):
        for name, upstream in zip("AB", upstreams, strict=True):
            upstream.forget()
            upstream.answers_with(
                lambda request, name=name: streams(  # type: ignore[misc]  # bound early, on purpose
                    *messages.text_stream(f"from {name}"),
                    before=(0.3 - HEDGE_MS / 1000 * _is_second(request, upstreams),),
                )
            )

        served = over_redis.post(STREAM_MSG, {"X-Request-ID": f"tie-{number}"})

        assert served.content in {b"".join(messages.text_stream(f"from {name}")) for name in "AB"}
        names[f"tie-{number}"] = served.header("x-cc-relay-provider")
        assert f"from {names[f'tie-{number}']}".encode() in served.content
        assert served.header("x-cc-relay-attempts") == "2"
    for request_id, winner in names.items():
        record = over_redis.record_of(request_id)
        assert (record["provider"], record["key"]) == (winner, f"{winner}/0")
        assert (record["outcome"], record["attempts"]) == ("complete", 2)
    assert "Traceback" not in over_redis.output()


def _is_second(request: Any, upstreams: tuple[Upstream, Upstream]) -> bool:
    """Whether the other provider has been asked before."""
    return any(
        each is not request and each.arrived_at < request.arrived_at
        for upstream in upstreams
        for each in upstream.requests
    )
