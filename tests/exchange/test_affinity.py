"""Conversations with thinking go back to whoever signed it (behaviour 7.2)."""

import pytest

from relay.exchange import signatures
from relay.messages import edit
from relay.messages.thinking import digests
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.exchange.routed import NOWHERE, breaker, fail, order, route
from tests.scripted import histories
from tests.scripted.config import config, provider
from tests.scripted.histories import ASKS_ON, TEXT, USER, assistant, redacted, thinking

A = provider("A", NOWHERE, "ka", priority=1)
B = provider("B", NOWHERE, "kb", priority=2, signature_family="b")
C = provider("C", NOWHERE, "kc", signature_family="b")


def conversation(*blocks: str) -> bytes:
    """Its last answer began with these blocks."""
    return histories.request(USER, assistant(*blocks, TEXT), ASKS_ON)


def issued(driven: Driven, body: bytes, name: str) -> None:
    """A provider is remembered to have signed all the thinking in there."""
    (upstream,) = (each for each in driven.runtime.means.upstreams if each.name == name)
    members = edit.members(body)
    assert members is not None
    signatures.remember(
        driven.lasting.store,
        digests(members),
        (name, upstream.family),
        driven.runtime.config.routing.signatures,
    )


@pytest.mark.parametrize("strategy", ["failover", "round_robin", "shuffle", "least_loaded"])
def test_a_conversation_stays_with_the_issuer_of_its_thinking(drive: Drive, strategy: str) -> None:
    driven = drive(config(A, B, C, routing={"strategy": strategy}))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "A")

    found = [route(driven, body) for _ in range(5)]

    assert {each.order[0].name for each in found} == {"A"}
    assert {len(each.order) for each in found} == {3}
    assert all(each.by_affinity for each in found)


def test_the_newest_block_decides(drive: Drive) -> None:
    driven = drive(config(A, B, C))
    old, new = thinking(histories.signature()), redacted("encrypted")
    issued(driven, conversation(old), "A")
    issued(driven, conversation(new), "C")

    body = histories.request(USER, assistant(old, TEXT), USER, assistant(new, TEXT), ASKS_ON)

    assert order(driven, body) == "CBA"


def test_the_newest_block_that_is_remembered_decides(drive: Drive) -> None:
    driven = drive(config(A, B))
    known, unknown = thinking(histories.signature()), thinking(histories.signature())
    issued(driven, conversation(known), "A")

    assert order(driven, conversation(known, unknown)) == "AB"


def test_while_the_issuer_is_down_one_of_its_family_goes_first(drive: Drive) -> None:
    driven = drive(config(A, B, C, health=breaker()))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "C")
    assert order(driven, body) == "CBA"

    fail(driven, "C")

    assert order(driven, body) == "BA"
    issued(driven, body, "A")
    assert order(driven, body) == "AB"


def test_thinking_that_nobody_remembers_goes_to_the_highest_priority(drive: Drive) -> None:
    driven = drive(config(A, B, C, routing={"strategy": "round_robin"}))
    body = conversation(thinking(histories.signature()))

    assert {order(driven, body)[0] for _ in range(4)} == {"B"}


def test_affinity_moves_no_turn(drive: Drive) -> None:
    driven = drive(config(A, B, C, routing={"strategy": "round_robin"}))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "B")
    assert order(driven) == "ABC"

    assert [order(driven, body) for _ in range(4)] == ["BCA"] * 4

    assert order(driven) == "BCA"
    assert order(driven, body) == "BCA"


@pytest.mark.parametrize(
    "body",
    [
        histories.request(USER),
        histories.request(USER, assistant(TEXT), ASKS_ON),
        histories.request('{"role":"user","content":"about \\"type\\":\\"thinking\\""}'),
        histories.request(f'{{"role":"user","content":[{thinking("s" * 60)}]}}'),
        histories.request(USER, more=',"thinking":{"type":"enabled","budget_tokens":1024}'),
        b'{"model":"claude-x","messages":"thinking\\""}',
        b'not JSON "thinking"',
    ],
)
def test_without_thinking_in_an_answer_the_strategy_decides(drive: Drive, body: bytes) -> None:
    driven = drive(config(A, B, routing={"strategy": "round_robin"}))

    found = [route(driven, body) for _ in range(2)]

    assert [each.order[0].name for each in found] == ["A", "B"]
    assert not any(each.by_affinity for each in found)


def test_with_a_single_candidate_there_is_no_affinity(drive: Drive) -> None:
    driven = drive(config(A, B, health=breaker()))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "A")
    fail(driven, "B")

    found = route(driven, body)

    assert [upstream.name for upstream in found.order] == ["A"]
    assert not found.by_affinity


def test_affinity_chooses_among_those_that_a_scenario_and_the_model_leave(drive: Drive) -> None:
    routing = {"strategy": "model_based", "model_mapping": {"claude": "B"}, "default_provider": "C"}
    scenario = {"name": "s", "when": {"agent": "sub"}, "use": {"providers": ["A", "C"]}}
    driven = drive(config(A, B, C, routing=routing, scenarios=[scenario]))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "C")

    assert order(driven, body) == "CB"
    issued(driven, body, "A")
    assert order(driven, body) == "BC"
    assert order(driven, body, headers={"x-claude-code-agent-id": "1"}) == "C"


def test_whoever_issued_it_as_another_family_is_no_issuer_any_more(drive: Drive) -> None:
    driven = drive(config(A, B, C))
    body = conversation(thinking(histories.signature()))
    issued(driven, body, "A")
    moved = driven.renewed(config(A | {"signature_family": "new"}, B, C))

    assert order(moved, body) == "BAC"
