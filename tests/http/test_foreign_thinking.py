"""Thinking that a provider here has issued: at home untouched, elsewhere left out (11.3)."""

import json

import pytest

from tests.scripted import messages
from tests.scripted.answers import says_error, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG
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
    tool_result,
    tool_use,
)

FAILS = says_error(503, "overloaded_error")


def _issue(fleet: Fleet, letter: str, *blocks: str) -> None:
    """The next message of this provider holds these blocks; it is asked for at once."""
    content = [json.loads(block) for block in blocks]
    fleet[letter].says(says_json(messages.message(content=content)))
    answer = fleet.settled(fleet.post())
    assert answer.header("x-cc-relay-provider") == fleet.name(letter)
    fleet[letter].forget()


@pytest.fixture
def pair(fleet: Fleet) -> Fleet:
    """A is asked first; what it issues is foreign to B."""
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"))
    return fleet


def test_what_is_known_at_home_keeps_length_and_place(pair: Fleet) -> None:
    short, odd = f"s{pair.number}", f"claude#{signature()}"
    blocks = [TEXT, thinking(short), tool_use(), thinking(odd), redacted(f"r{pair.number}")]
    _issue(pair, "A", *blocks)
    body = request(USER, assistant(*blocks), tool_result())
    assert [pair.post(body).status for _ in range(2)] == [200, 200]
    assert [request.body for request in pair["A"].requests] == [body] * 2


def test_what_is_known_from_a_stream_is_known_as_well(pair: Fleet) -> None:
    short = f"stream-{pair.number}"
    events = [
        messages.message_start(),
        *messages.text_block(0, "so"),
        *messages.thinking_block(1, "hm", short),
        *messages.ending("tool_use"),
    ]
    pair["A"].says(streams(*events, framing="close"))
    assert pair.settled(pair.post(STREAM_MSG, worker=0)).status == 200
    pair["A"].forget()
    body = request(USER, assistant(TEXT, thinking(short)), ASKS_ON)
    assert pair.post(body, worker=1).status == 200
    assert pair["A"].only().body == body


def test_what_had_finished_before_its_stream_broke_is_known(pair: Fleet) -> None:
    short = f"broken-{pair.number}"
    events = [
        messages.message_start(),
        *messages.text_block(0, "so"),
        *messages.thinking_block(1, "hm", short),
        *messages.text_block(2, "then")[:2],
    ]
    pair["A"].says(streams(*events, 0.1, ends="reset"))
    broken = pair.settled(pair.post(STREAM_MSG, worker=0))
    assert broken.is_cut()
    pair["A"].forget()
    body = request(USER, assistant(TEXT, thinking(short)), ASKS_ON)
    assert pair.post(body, worker=1).status == 200
    assert pair["A"].only().body == body


def test_a_block_without_signature_is_known_by_its_text(pair: Fleet) -> None:
    block = thinking(None, f"a thought of {pair.number}")
    _issue(pair, "A", block, TEXT)
    body = request(USER, assistant(TEXT, block), ASKS_ON)
    assert pair.post(body).status == 200
    assert pair["A"].only().body == body


def test_the_oldest_are_forgotten_first(fleet: Fleet) -> None:
    routing = {"signatures": {"max_entries": 1000}}
    fleet.put(fleet.entry("A", priority=2), fleet.entry("B"), routing=routing)
    oldest, newest = thinking(f"oldest-{fleet.number}"), thinking(f"newest-{fleet.number}")
    _issue(fleet, "A", oldest)
    others = [thinking(f"other-{fleet.number}-{at}") for at in range(999)]
    _issue(fleet, "A", *others, newest)
    body = request(USER, assistant(oldest, TEXT), ASKS_ON, assistant(newest, TEXT), ASKS_ON)
    assert fleet.post(body).status == 200
    # Unknown again, and too short to be anybody's.
    kept = request(USER, assistant(TEXT), ASKS_ON, assistant(newest, TEXT), ASKS_ON)
    assert fleet["A"].only().body == kept


def test_elsewhere_every_block_not_of_that_family_goes(pair: Fleet) -> None:
    known, hidden, unknown = thinking(signature()), redacted(signature()), thinking(signature())
    _issue(pair, "A", known, hidden, TEXT)
    body = request(
        USER,
        assistant(unknown, TEXT),
        ASKS_ON,
        assistant(known, hidden, redacted("of nobody"), tool_use()),
        tool_result(),
    )
    pair["A"].says(FAILS)
    assert pair.post(body).status == 200
    assert pair["A"].only().body == body
    expected = request(USER, assistant(TEXT), ASKS_ON, assistant(tool_use()), tool_result())
    assert pair["B"].only().body == expected


def test_what_the_target_issued_itself_stays(pair: Fleet) -> None:
    of_a, of_b = thinking(signature()), thinking(signature())
    _issue(pair, "A", of_a)
    pair["A"].says(FAILS)
    pair["B"].says(says_json(messages.message(content=[json.loads(of_b)])))
    assert pair.settled(pair.post()).header("x-cc-relay-provider") == pair.name("B")
    pair["A"].forget()
    pair["B"].forget()
    body = request(USER, assistant(of_b, TEXT), ASKS_ON, assistant(of_a, TEXT), ASKS_ON)
    pair["A"].says(FAILS)
    assert pair.post(body).status == 200
    # To A, B's block was foreign: it goes, and A's own stays.
    to_a = request(USER, assistant(TEXT), ASKS_ON, assistant(of_a, TEXT), ASKS_ON)
    to_b = request(USER, assistant(of_b, TEXT), ASKS_ON, assistant(TEXT), ASKS_ON)
    assert pair["A"].only().body == to_a
    assert pair["B"].only().body == to_b


def test_within_a_family_nothing_is_foreign(fleet: Fleet) -> None:
    family = {"signature_family": f"family-{fleet.number}"}
    fleet.put(fleet.entry("A", priority=2, **family), fleet.entry("B", **family))
    block = thinking(f"short{fleet.number}")
    _issue(fleet, "A", block, TEXT)
    body = request(USER, assistant(TEXT, block), ASKS_ON)
    fleet["A"].says(FAILS)
    assert fleet.post(body).status == 200
    assert fleet["B"].only().body == body


def test_elsewhere_a_tool_loop_goes_on_without_thinking(pair: Fleet) -> None:
    block = thinking(signature())
    _issue(pair, "A", block, tool_use())
    asked = ',"thinking":{"type":"enabled","budget_tokens":2000}'
    body = request(USER, assistant(block, tool_use()), tool_result(), more=asked)
    pair["A"].says(FAILS)
    assert pair.post(body).status == 200
    assert pair["A"].only().body == body
    assert pair["B"].only().body == request(USER, assistant(tool_use()), tool_result())


def test_every_attempt_begins_with_what_the_client_sent(fleet: Fleet) -> None:
    entries = [fleet.entry("A", priority=2), fleet.entry("B", priority=1), fleet.entry("C")]
    entries[0]["model_mapping"] = {"claude-x": "gemini-a"}
    fleet.put(*entries)
    block = thinking(signature())
    _issue(fleet, "A", block)
    body = request(USER, assistant(block, thinking("short"), TEXT), ASKS_ON)
    fleet["A"].says(FAILS)
    fleet["B"].says(FAILS)
    assert fleet.post(body).status == 200
    stripped = request(USER, assistant(TEXT), ASKS_ON)
    assert fleet["B"].only().body == fleet["C"].only().body == stripped
    at_home = request(USER, assistant(block, TEXT), ASKS_ON, model="gemini-a")
    assert fleet["A"].only().body == at_home


def test_what_the_client_paid_for_itself_is_known_too(pair: Fleet) -> None:
    block = thinking(f"own{pair.number}")
    pair["A"].says(says_json(messages.message(content=[json.loads(block)])))
    own = {"Authorization": "Bearer own"}
    assert pair.settled(pair.post(MSG, own, worker=0)).status == 200
    pair["A"].forget()
    body = request(USER, assistant(TEXT, block), ASKS_ON)
    assert pair.post(body, own, worker=1).status == 200
    assert pair["A"].only().body == body
