"""Waiting for room over real sockets and two workers (behaviour 9.7)."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says_error, streams
from tests.scripted.client import MSG, STREAM_MSG, Connection, Response
from tests.scripted.config import config, provider
from tests.scripted.fleet import Fleet
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until

WHOLE = b"".join(messages.text_stream())
AT_ONCE_S = 0.5
_numbers = itertools.count(1)


def put(fleet: Fleet, key: dict[str, Any] | None = None, **routing: Any) -> None:
    """One provider with one key; streams that wait are held after a second, then pinged."""
    settings = {"queue_ms": 6000, "gate": {"first_event_ms": 1000}} | routing
    fleet.put(fleet.entry("A", key or {}), routing=settings, server={"ping_interval_ms": 1000})


def rest(fleet: Fleet, seconds: float) -> None:
    """Let the key be throttled, as the first worker learns."""
    throttled = {"retry-after-ms": str(round(seconds * 1000))}
    fleet["A"].says(says_error(429, "rate_limit_error", headers=throttled))
    assert fleet.post(worker=0).status == 429


def begin(fleet: Fleet, body: bytes = MSG, worker: int = 1) -> tuple[Connection, str]:
    """A request that nobody waits for yet, and its id."""
    name = f"queued-{next(_numbers)}"
    return fleet.begin(body, {"X-Request-ID": name}, worker=worker), name


def after_pings(answer: Response) -> bytes:
    """What came after the pings, of which there is one at least."""
    *pings, rest = answer.so_far.split(messages.PING)
    assert set(pings) == {b""}
    return rest


def test_a_request_waits_until_the_key_no_longer_rests(fleet: Fleet) -> None:
    put(fleet)
    rest(fleet, 1.0)
    began = time.monotonic()

    answer = fleet.post(worker=1)

    assert answer.status == 200
    assert 0.5 < time.monotonic() - began < 3
    assert fleet.hits == "AA"


def test_a_stream_that_waits_is_pinged_and_then_served_byte_for_byte(fleet: Fleet) -> None:
    put(fleet)
    rest(fleet, 3.5)
    fleet["A"].says(streams())
    began = time.monotonic()
    client, name = begin(fleet, STREAM_MSG)

    answer = client.response()
    took_s = time.monotonic() - began

    assert (answer.status, answer.header("content-type")) == (200, "text/event-stream")
    assert 0.9 < took_s < 2
    assert not answer.is_cut()
    assert after_pings(answer) == WHOLE
    pinged = [piece.at - began for piece in answer.came if piece.data == messages.PING]
    assert [0.9 < at - number < 1.8 for number, at in enumerate(pinged)] == [True] * 3
    record = fleet.relay.record_of(name)
    assert (record["status"], record["outcome"], record["attempts"]) == (200, "complete", 1)
    assert record["output_tokens"] == messages.USAGE["output_tokens"]
    assert client.ask("POST", "/v1/messages", MSG).status == 200


def test_a_stream_that_waits_in_vain_is_told_and_cut(fleet: Fleet) -> None:
    put(fleet, {"rpm_limit": 1}, queue_ms=2500)
    assert fleet.post(worker=0).status == 200

    client, name = begin(fleet, STREAM_MSG)
    answer = client.response()

    assert answer.is_cut()
    ((event, data),) = messages.events(after_pings(answer))
    assert (event, data["error"]["type"]) == ("error", "rate_limit_error")
    record = fleet.relay.record_of(name)
    assert (record["status"], record["outcome"], record["attempts"]) == (200, "refused", 0)
    assert "Traceback" not in fleet.relay.output()


def test_a_message_that_waits_in_vain_is_refused(fleet: Fleet) -> None:
    put(fleet, {"rpm_limit": 1}, queue_ms=1500)
    assert fleet.post(worker=0).status == 200
    began = time.monotonic()

    answer = fleet.post(worker=1)

    assert 1.4 < time.monotonic() - began < 3
    assert (answer.status, answer.error()[0]) == (429, "rate_limit_error")
    assert 50 < int(answer.header("retry-after") or "0") <= 60
    assert fleet.hits == "A"


def test_a_full_queue_answers_at_once(fleet: Fleet) -> None:
    put(fleet, queue_size=1)
    rest(fleet, 5.0)
    begin(fleet)
    time.sleep(0.1)
    began = time.monotonic()

    answer = fleet.post(worker=1)

    assert time.monotonic() - began < AT_ONCE_S
    assert (answer.status, answer.error()[0]) == (429, "rate_limit_error")
    assert 3 <= int(answer.header("retry-after") or "0") <= 5


def _leaves(fleet: Fleet, body: bytes, leave: Callable[[Connection], None]) -> dict[str, Any]:
    """Leave while somebody else waits behind, who is served all the same; what was logged."""
    put(fleet, queue_size=2)
    rest(fleet, 2.0)
    client, name = begin(fleet, body)
    time.sleep(0.1)
    behind, _ = begin(fleet)
    leave(client)
    record = fleet.relay.record_of(name)
    third, _ = begin(fleet)  # in the place that was left
    assert [behind.response().status, third.response().status] == [200, 200]
    assert fleet.hits == "AAA"
    return record


def test_a_client_that_leaves_gives_up_its_place(fleet: Fleet) -> None:
    record = _leaves(fleet, MSG, Connection.close)

    assert (record["status"], record["outcome"], record["attempts"]) == (499, "client_left", 0)


def test_a_client_that_leaves_while_it_is_pinged_gives_up_its_place(fleet: Fleet) -> None:
    def leave(client: Connection) -> None:
        assert client.response().take(1)
        client.reset()

    record = _leaves(fleet, STREAM_MSG, leave)

    assert (record["status"], record["outcome"], record["attempts"]) == (200, "client_left", 0)
    until("the upstream is left", lambda: all(r.answered.is_set() for r in fleet["A"].requests))


def test_others_stream_on_beside_those_who_wait(fleet: Fleet) -> None:
    put(fleet)
    rest(fleet, 2.5)
    held, _ = begin(fleet, STREAM_MSG)
    time.sleep(0.1)
    texts = [f"{number} of a longer stream" for number in range(60)]
    fleet["A"].says(streams(*messages.text_stream(*texts), pause_s=0.03), streams())
    own = fleet.begin(STREAM_MSG, {"Authorization": "Bearer their-own"}, worker=1)

    answer = own.response()
    assert answer.content == b"".join(messages.text_stream(*texts))
    waited = held.response()
    assert not waited.is_cut()
    assert after_pings(waited) == WHOLE


def test_a_relay_that_ends_tells_those_who_are_pinged(
    start_relay: StartRelay, start_upstream: Callable[[], Upstream]
) -> None:
    upstream = start_upstream()
    relay = start_relay(
        config(
            provider("p", upstream, "k1"),
            routing={"queue_ms": 20_000, "gate": {"first_event_ms": 1000}},
            server={"drain_ms": 500},
        )
    )
    throttled = {"retry-after-ms": "15000"}
    upstream.says(says_error(429, "rate_limit_error", headers=throttled))
    relay.post()
    answers = {
        agent: relay.post(STREAM_MSG, {"User-Agent": agent, "X-Request-ID": f"drained-{agent[0]}"})
        for agent in ("claude-cli/2.1.330", "others/1")
    }
    waits = relay.connect()
    waits.begin("POST", "/v1/messages", MSG)

    relay.terminate()

    assert all(answer.is_cut() for answer in answers.values())
    cut, told = (after_pings(answer) for answer in answers.values())
    assert cut == b""
    ((name, error),) = messages.events(told)
    assert (name, error["error"]["type"]) == ("error", "overloaded_error")
    assert waits.response().status == 503
    relay.hang_up()
    assert relay.wait(10) == 0
    assert relay.record_of("drained-o")["outcome"] == "drained"
    assert "Error handling request" not in relay.output()
