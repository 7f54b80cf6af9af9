"""A conversation goes back to who signed its thinking (A.9: 67 to 69; behaviour 7.2, 11.1)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.scripted import messages
from tests.scripted.answers import says_error, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG, Response
from tests.scripted.config import config
from tests.scripted.fleet import Fleet
from tests.scripted.histories import (
    ASKS_ON,
    TEXT,
    USER,
    assistant,
    redacted,
    request,
    signature,
    thinking,
)
from tests.scripted.relay import Relay
from tests.scripted.waiting import until

AFFINITY = "x-cc-relay-thinking-affinity"
FAILS = says_error(500, "api_error")


def _put(fleet: Fleet, letters: str, strategy: str = "round_robin", **routing: Any) -> None:
    entries = [fleet.entry(letter) for letter in letters]
    fleet.put(*entries, routing={"strategy": strategy} | routing)


def _served(answer: Response) -> tuple[str | None, str | None]:
    return (answer.header("x-cc-relay-provider") or "?")[0], answer.header(AFFINITY)


def _goes_on(*blocks: str) -> bytes:
    return request(USER, assistant(*blocks), ASKS_ON)


def _issued(fleet: Fleet, letter: str, block: Mapping[str, str], *, stream: bool = False) -> None:
    """Let one provider alone issue this block, through one worker."""
    _put(fleet, letter)
    if stream:
        begun = {key: "" if key == "signature" else value for key, value in block.items()}
        signed = {"type": "signature_delta", "signature": block.get("signature", "")}
        middle = messages.block(0, begun, *([signed] if "signature" in block else []))
        events = [messages.message_start(), *middle, *messages.text_block(1, "x")]
        fleet[letter].says(streams(*events, *messages.ending()))
    else:
        fleet[letter].says(says_json(messages.message(content=[dict(block)])))
    assert fleet.settled(fleet.post(STREAM_MSG if stream else MSG, worker=0)).status == 200
    for upstream in fleet.upstreams.values():
        upstream.forget()


@pytest.mark.parametrize("user", [USER, ASKS_ON], ids=["string", "list"])
def test_an_unknown_signature_goes_to_the_first(fleet: Fleet, user: str) -> None:
    _put(fleet, "AB")
    body = request(user, assistant(thinking(signature()), TEXT), ASKS_ON)
    answers = [fleet.post(body) for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert {_served(answer) for answer in answers} == {("A", "true")}


def test_an_unknown_signature_goes_to_the_highest_priority(fleet: Fleet) -> None:
    entries = [fleet.entry("A"), fleet.entry("B", priority=2), fleet.entry("C", priority=2)]
    fleet.put(*entries, routing={"strategy": "round_robin"})
    body = _goes_on(thinking(signature()), TEXT)
    assert {_served(fleet.post(body)) for _ in range(4)} == {("B", "true")}


def test_affinity_does_not_advance_the_strategy(fleet: Fleet) -> None:
    _put(fleet, "ABC", "weighted_round_robin")
    body = _goes_on(thinking(signature()), TEXT)
    assert [_served(fleet.post()) for _ in range(2)] == [("A", None), ("B", None)]
    assert [_served(fleet.post(body)) for _ in range(4)] == [("A", "true")] * 4
    assert [_served(fleet.post()) for _ in range(2)] == [("C", None), ("A", None)]


def test_one_provider_is_no_choice(fleet: Fleet) -> None:
    _put(fleet, "A")
    assert _served(fleet.post(_goes_on(thinking(signature()), TEXT))) == ("A", None)


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("kind", ["thinking", "redacted"])
def test_a_turn_goes_back_to_its_issuer(fleet: Fleet, kind: str, stream: bool) -> None:  # noqa: FBT001  pytest's
    data = signature()
    block = {
        "thinking": {"type": "thinking", "thinking": "hm", "signature": data},
        "redacted": {"type": "redacted_thinking", "data": data},
    }[kind]
    sent_back = thinking(data) if kind == "thinking" else redacted(data)
    _issued(fleet, "B", block, stream=stream)

    _put(fleet, "ABC")
    served = [_served(fleet.post(_goes_on(sent_back, TEXT))) for _ in range(4)]
    assert served == [("B", "true")] * 4
    assert fleet["B"].requests[-1].body == _goes_on(sent_back, TEXT)


@pytest.mark.parametrize(
    "strategy",
    ["failover", "shuffle", "least_loaded", "weighted_failover", "latency_based", "cache_affinity"],
)
def test_it_goes_back_whatever_the_strategy(fleet: Fleet, strategy: str) -> None:
    signed = signature()
    _issued(fleet, "C", {"type": "thinking", "thinking": "hm", "signature": signed})
    _put(fleet, "ABC", strategy)
    body = _goes_on(thinking(signed), TEXT)
    assert {_served(fleet.post(body)) for _ in range(4)} == {("C", "true")}


def test_the_newest_known_block_decides(fleet: Fleet) -> None:
    older, newer = signature(), signature()
    _issued(fleet, "A", {"type": "thinking", "thinking": "hm", "signature": older})
    _issued(fleet, "B", {"type": "thinking", "thinking": "hm", "signature": newer})
    _put(fleet, "CAB")
    turns = [assistant(thinking(signed), TEXT) for signed in (older, newer)]
    for first, last, letter in ((*turns, "B"), (*turns[::-1], "A")):
        body = request(USER, first, ASKS_ON, last, ASKS_ON)
        assert {_served(fleet.post(body)) for _ in range(2)} == {(letter, "true")}


def test_another_of_the_family_stands_in(fleet: Fleet) -> None:
    signed = signature()
    family = {"signature_family": f"ours-{fleet.number}"}
    entries = [fleet.entry("A"), fleet.entry("B", **family), fleet.entry("C", **family)]
    fleet.put(*entries, routing={"strategy": "round_robin"}, breaker={"failure_threshold": 1})
    issued = messages.message(content=[{"type": "redacted_thinking", "data": signed}])
    fleet["B"].says(says_json(issued))
    until("B issues it", lambda: _served(fleet.settled(fleet.post()))[0] == "B", 2)
    body = _goes_on(redacted(signed), TEXT)
    assert _served(fleet.post(body)) == ("B", "true")
    fleet["B"].answers_with(FAILS)
    assert fleet.post(body).status == 200  # whoever comes next then
    assert [_served(fleet.post(body)) for _ in range(4)] == [("C", "true")] * 4
    assert fleet.hits.count("B") == 3


def test_when_the_issuer_fails_the_others_follow(fleet: Fleet) -> None:
    signed = signature()
    _issued(fleet, "B", {"type": "thinking", "thinking": "hm", "signature": signed})
    entries = [fleet.entry("A"), fleet.entry("B"), fleet.entry("C", priority=2)]
    fleet.put(*entries)
    fleet["B"].answers_with(FAILS)
    fleet["C"].answers_with(FAILS)
    assert fleet.post(_goes_on(thinking(signed), TEXT)).status == 200
    assert fleet.hits == "BCA"


def test_what_only_looks_like_thinking_does_not_decide(fleet: Fleet) -> None:
    _put(fleet, "AB", "weighted_round_robin")
    looks = thinking(signature())
    quoted = f'{{"role":"assistant","content":{json.dumps(looks)}}}'
    bodies = [
        request(f'{{"role":"user","content":[{looks},{TEXT}]}}'),
        request(USER, quoted, ASKS_ON),
        request(USER, assistant(TEXT), ASKS_ON),
    ]
    served = [_served(fleet.post(body)) for body in bodies]
    assert served == [("A", None), ("B", None), ("A", None)]


def test_the_memory_outlives_a_restart(fleet: Fleet, tmp_path: Path) -> None:
    signed = signature()
    issued = messages.message(content=[{"type": "redacted_thinking", "data": signed}])
    fleet["B"].says(says_json(issued))
    routing = {"strategy": "round_robin", "debug": True}
    settings = config(fleet.entry("A"), fleet.entry("B"), routing=routing)
    with Relay(tmp_path, settings) as relay:
        assert [_served(relay.post())[0] for _ in range(2)] == ["A", "B"]
    body = _goes_on(redacted(signed), TEXT)
    with Relay(tmp_path, settings) as relay:
        assert [_served(relay.post(body)) for _ in range(3)] == [("B", "true")] * 3
