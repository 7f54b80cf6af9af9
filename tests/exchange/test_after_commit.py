"""What is learned from answers that came, or failed, after the status line had gone out."""

from tests.exchange.conftest import Drive
from tests.exchange.driving import quick
from tests.exchange.test_error_rules import CREDIT, keys, ours, rule
from tests.scripted import messages
from tests.scripted.answers import says, says_json, streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config
from tests.scripted.upstream import Upstream


def test_a_rule_holds_for_an_answer_that_came_after_commit(drive: Drive, a: Upstream) -> None:
    settings = config(*ours(a), health=rule(CREDIT, "key", set_aside=True))
    driven = drive(settings, lambda loaded: quick(loaded, first_event_ms=20))
    refusal = messages.error("invalid_request_error", "Your credit balance is too low")
    a.says(says_json(refusal, 400, before=(0.08,)))
    driven.ask(STREAM_MSG)

    driven.ask(STREAM_MSG)

    assert keys(a) == ["A0", "A1"]
    driven.ask(STREAM_MSG)
    assert keys(a) == ["A0", "A1", "A1"]


def test_a_rule_holds_for_an_error_event_after_commit(drive: Drive, a: Upstream) -> None:
    driven = drive(config(*ours(a), health=rule({"error_types": ["mine"]}, "key", set_aside=True)))
    failing = messages.event("error", error={"type": "mine", "message": "x"})
    a.says(streams(*messages.beginning(), failing))
    driven.ask(STREAM_MSG)
    for _ in range(2):
        driven.ask(STREAM_MSG)
    assert keys(a) == ["A0", "A1", "A1"]


def test_a_large_refusal_is_the_clients_with_rules_too(drive: Drive, a: Upstream) -> None:
    driven = drive(config(*ours(a), health=rule(CREDIT, "key", set_aside=True)))
    a.says(says(400, {"Content-Type": "text/plain"}, b"x" * (2 << 20)))
    served = driven.ask()
    assert served.status == 400
    assert len(served.content) == 2 << 20


def test_a_429_event_after_commit_rests_the_key(drive: Drive, a: Upstream) -> None:
    driven = drive(config(*ours(a)))
    limited = messages.event("error", error={"type": "rate_limit_error", "message": "x"})
    a.says(streams(*messages.beginning(), limited))
    for _ in range(3):
        driven.ask(STREAM_MSG)
    assert keys(a) == ["A0", "A1", "A1"]
