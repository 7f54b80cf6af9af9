"""One provider fails, the next serves (A.8: 62 to 66; behaviour 8)."""

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.http.conftest import StartRelay
from tests.scripted import messages
from tests.scripted.answers import says, says_error, says_json, says_message, says_nothing, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.failures import RETRIED, first_event_error
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream
from tests.scripted.waiting import until


class Fleet(NamedTuple):
    """A relay before three providers; `a` is preferred, then `b`, then `c`."""

    relay: Relay
    a: Upstream
    b: Upstream
    c: Upstream

    def config(self, routing: dict[str, Any] | None = None, **of_a: Any) -> dict[str, Any]:
        """The usual three, `a` with settings of its own. `b` stands first in the file."""
        return config(
            provider("B", self.b, "key-b", priority=1),
            provider("A", self.a, *of_a.pop("keys", ("key-a",)), priority=2, **of_a),
            provider("C", self.c, "key-c", priority=0),
            routing={"debug": True} | (routing or {}),
        )


@pytest.fixture(scope="module")
def _fleet(start_relay: StartRelay) -> Iterator[Fleet]:
    with Upstream() as a, Upstream() as b, Upstream() as c:
        started = Fleet(None, a, b, c)  # type: ignore[arg-type]  # the relay needs its addresses
        relay = start_relay(started.config(timeouts={"first_byte_ms": 1000}))
        yield started._replace(relay=relay)


@pytest.fixture
def fleet(_fleet: Fleet) -> Fleet:
    """The three, with nothing from before."""
    for upstream in (_fleet.a, _fleet.b, _fleet.c):
        upstream.forget()
    return _fleet


@pytest.fixture
def usual(fleet: Fleet) -> Fleet:
    """With the configuration they began with, whatever an earlier test put in force."""
    fleet.relay.restore()
    return fleet


@pytest.mark.parametrize("failure", RETRIED)
def test_the_next_provider_serves(usual: Fleet, failure: str) -> None:
    usual.a.answers_with(RETRIED[failure])
    usual.b.answers_with(streams())
    answer = usual.relay.post(STREAM_MSG)
    assert answer.status == 200
    assert answer.content == b"".join(messages.text_stream())
    assert answer.header("x-cc-relay-provider") == "B"
    assert answer.header("x-cc-relay-attempts") == "2"
    assert answer.header("x-cc-relay-strategy") == "failover"
    assert (len(usual.a.requests), len(usual.b.requests)) == (1, 1)
    assert usual.c.accepted == 0


def test_without_failure_the_highest_priority_serves(usual: Fleet) -> None:
    answer = usual.relay.post()
    assert answer.header("x-cc-relay-provider") == "A"
    assert answer.header("x-cc-relay-attempts") == "1"
    assert answer.header("x-cc-relay-health") == "closed"
    assert answer.header("x-cc-relay-model") == "claude-x"
    assert usual.b.accepted + usual.c.accepted == 0


@pytest.mark.parametrize("failing", ["400", "404", "409", "413", "422"])
def test_what_is_the_requests_fault_is_asked_once(usual: Fleet, failing: str) -> None:
    usual.a.answers_with(says_error(int(failing), "some_error", "<wording>"))
    answer = usual.relay.post()
    assert answer.status == int(failing)
    assert answer.json() == messages.error("some_error", "<wording>")
    assert usual.b.accepted == 0


def test_an_invalid_request_event_is_asked_once(usual: Fleet) -> None:
    usual.a.answers_with(first_event_error("invalid_request_error"))
    assert usual.relay.post(STREAM_MSG).status == 400
    assert usual.b.accepted == 0


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_refused_credential_of_the_client_is_the_answer(usual: Fleet, status: int) -> None:
    usual.a.answers_with(says_error(status, "some_error", "yours"))
    answer = usual.relay.post(headers={"x-api-key": "ck"})
    assert answer.status == status
    assert answer.json() == messages.error("some_error", "yours")
    assert usual.b.accepted == 0


def test_a_credential_never_reaches_the_next_provider(usual: Fleet) -> None:
    usual.a.answers_with(says_error(503, "overloaded_error"))
    usual.relay.post()
    assert "key-a" not in usual.b.only().text()
    assert usual.b.only().header("x-api-key") == "key-b"
    assert "key-b" not in usual.a.only().text()


def test_the_last_http_answer_is_the_clients(usual: Fleet) -> None:
    body = b'{"type":"error", "error":{"type":"api_error","message":"the last one"}}'
    usual.a.answers_with(says_error(503, "overloaded_error"))
    usual.b.answers_with(says(500, {"Content-Type": "application/json", "x-b": "1"}, body))
    usual.c.answers_with(says_nothing("close"))
    answer = usual.relay.post()
    assert (answer.status, answer.content, answer.header("x-b")) == (500, body, "1")
    assert len(usual.c.requests) == 1


def test_when_nobody_answers_it_is_a_bad_gateway(usual: Fleet) -> None:
    for upstream in (usual.a, usual.b, usual.c):
        upstream.answers_with(says_nothing("close"))
    answer = usual.relay.post()
    assert answer.status == 502
    assert answer.error()[0] == "api_error"
    assert [len(u.requests) for u in (usual.a, usual.b, usual.c)] == [1, 1, 1]


def test_after_commit_nobody_else_is_asked(usual: Fleet) -> None:
    usual.a.answers_with(streams(*messages.beginning(), 0.3, ends="close"))
    assert usual.relay.post(STREAM_MSG).is_cut()
    assert usual.b.accepted == 0


@pytest.mark.parametrize("body", [MSG, STREAM_MSG], ids=["call", "stream"])
def test_nobody_else_is_asked_for_a_client_that_left(usual: Fleet, body: bytes) -> None:
    hold = threading.Event()
    usual.a.answers_with(says_message(before=(hold,)))
    client = usual.relay.connect()
    client.begin("POST", "/v1/messages", body, {"X-Request-ID": f"left-early-{len(body)}"})
    usual.a.wait_for(1)
    client.close()
    assert usual.a.only().closed.wait(2)
    record = usual.relay.record_of(f"left-early-{len(body)}")
    assert usual.b.accepted == 0
    assert record["attempts"] == 1
    assert "left" in record["outcome"]
    hold.set()


def test_a_refused_connection_fails_over(fleet: Fleet) -> None:
    fleet.relay.reload(fleet.config(base_url="http://127.0.0.1:1"))
    answer = fleet.relay.post()
    assert answer.status == 200
    assert answer.header("x-cc-relay-provider") == "B"
    assert answer.header("x-cc-relay-attempts") == "2"


@pytest.mark.parametrize("failure", ["closes", "silent"])
def test_an_ambiguous_failure_is_not_repeated_where_that_is_refused(
    fleet: Fleet, failure: str
) -> None:
    settings = fleet.config({"retry_ambiguous": False}, timeouts={"first_byte_ms": 1000})
    fleet.relay.reload(settings)
    fleet.a.answers_with(RETRIED[failure])
    answer = fleet.relay.post()
    assert answer.status == (504 if failure == "silent" else 502)
    assert answer.error()[0] == ("timeout_error" if failure == "silent" else "api_error")
    assert len(fleet.a.requests) == 1
    assert fleet.b.accepted == 0


def test_a_refused_key_of_ours_fails_over(fleet: Fleet) -> None:
    for number, status in enumerate((401, 403, 402)):
        fleet.relay.reload(fleet.config(keys=(f"refused-{number}",)))
        fleet.a.answers_with(says_error(status, "some_error"))
        fleet.b.forget()
        answer = fleet.relay.post()
        assert answer.status == 200, status
        assert answer.header("x-cc-relay-provider") == "B", status
        assert "refused-" not in fleet.b.only().text(), status


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_of_ours_is_no_fault_of_the_client(fleet: Fleet, status: int) -> None:
    fleet.relay.reload(config(provider("A", fleet.a, f"alone-{status}")))
    fleet.a.answers_with(says_error(status, "authentication_error", "yours is bad"))
    answer = fleet.relay.post()
    assert answer.status == 502
    kind, message = answer.error()
    assert kind == "api_error"
    assert "alone" not in message
    assert answer.header("x-should-retry") == "false"


def test_every_attempt_begins_with_the_clients_own_bytes(fleet: Fleet) -> None:
    settings = fleet.config(model_mapping={"claude-x": "a-model"})
    settings["providers"][0]["model_mapping"] = {"claude-x": "b-model", "a-model": "wrong"}
    fleet.relay.reload(settings)
    fleet.a.answers_with(says_error(503, "overloaded_error"))
    answer = fleet.relay.post()
    assert fleet.a.only().body == MSG.replace(b"claude-x", b"a-model")
    assert fleet.b.only().body == MSG.replace(b"claude-x", b"b-model")
    assert answer.header("x-cc-relay-model") == "b-model"


def test_no_attempt_begins_after_the_failover_timeout(fleet: Fleet) -> None:
    fleet.relay.reload(fleet.config({"failover_timeout": 300}))
    fleet.a.answers_with(says_error(503, "overloaded_error"))
    late = says_json(messages.error("api_error", "late"), 500, before=(0.6,))
    fleet.b.answers_with(late)
    answer = fleet.relay.post()
    assert (answer.status, answer.json()["error"]["message"]) == (500, "late")
    assert fleet.c.accepted == 0


def test_attempts_are_bounded(fleet: Fleet) -> None:
    fleet.relay.reload(fleet.config({"max_attempts": 2}))
    for upstream in (fleet.a, fleet.b, fleet.c):
        upstream.answers_with(says_error(529, "overloaded_error", "full"))
    answer = fleet.relay.post()
    assert answer.status == 529
    assert (len(fleet.a.requests), len(fleet.b.requests), fleet.c.accepted) == (1, 1, 0)


def test_equal_priorities_keep_the_order_of_the_file(fleet: Fleet) -> None:
    fleet.relay.reload(
        config(
            provider("second", fleet.b, "key-b"),
            provider("first", fleet.a, "key-a"),
            routing={"debug": True},
        )
    )
    assert fleet.relay.post().header("x-cc-relay-provider") == "second"
    fleet.b.answers_with(says_error(500, "api_error"))
    assert fleet.relay.post().header("x-cc-relay-provider") == "first"


def test_debug_headers_stand_on_our_own_errors_and_only_in_debug(fleet: Fleet) -> None:
    failing = config(provider("A", "http://127.0.0.1:1", "k"), routing={"debug": True})
    fleet.relay.reload(failing)
    answer = fleet.relay.post()
    assert answer.status == 502
    assert answer.header("x-cc-relay-provider") == "A"
    assert answer.header("x-cc-relay-attempts") == "1"
    fleet.relay.reload(config(provider("A", fleet.a, "k")))
    for quiet in (fleet.relay.post(), fleet.relay.get("/v1/nope")):
        assert not [n for n, _ in quiet.headers if n.lower().startswith("x-cc-relay")]


def test_count_tokens_fails_over_as_messages_do(fleet: Fleet) -> None:
    fleet.relay.reload(fleet.config())
    fleet.a.answers_with(says_error(503, "overloaded_error"))
    fleet.b.answers_with(says_json({"input_tokens": 9}))
    answer = fleet.relay.post(target="/v1/messages/count_tokens")
    assert answer.json() == {"input_tokens": 9}
    assert answer.header("x-cc-relay-provider") == "B"


def test_a_silent_first_event_commits_and_asks_nobody_else(fleet: Fleet) -> None:
    fleet.relay.reload(fleet.config({"gate": {"first_event_ms": 1000}}))
    fleet.a.answers_with(streams(before=(1.5,)))
    asked_at = time.monotonic()
    answer = fleet.relay.post(STREAM_MSG)
    assert time.monotonic() - asked_at < 1.4
    assert answer.header("x-cc-relay-provider") == "A"
    assert answer.content.endswith(b"".join(messages.text_stream()))
    until("a's request", lambda: fleet.a.requests)
    assert fleet.b.accepted == 0
