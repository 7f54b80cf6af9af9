"""The model's name says who is asked (behaviour A.6, 53 to 55)."""

from collections.abc import Mapping

import pytest

from relay.routing.by_model import model_based
from relay.routing.candidate import Candidate
from tests.routing.orders import named

MAPPING = {"claude": "A", "claude-opus": "B", "gone": "nobody"}
A, B, C, D = (
    Candidate(name, priority) for name, priority in zip("ABCD", (0, 1, 2, 0), strict=True)
)
ALL = [A, B, C, D]


def route(
    model: str,
    default: str = "",
    candidates: list[Candidate] = ALL,
    mapping: Mapping[str, str] = MAPPING,
) -> str:
    return named(model_based(candidates, model, mapping, default, {"A", "B", "C", "D"}))


@pytest.mark.parametrize(
    ("model", "first"),
    [("claude-opus-4", "B"), ("claude-opus", "B"), ("claude-haiku", "A"), ("claude", "A")],
)
def test_the_longest_prefix_that_fits_says_who_is_first(model: str, first: str) -> None:
    assert route(model)[0] == first


def test_without_a_default_all_others_follow_as_in_failover() -> None:
    assert route("claude-haiku") == "ACBD"
    assert route("claude-opus-4") == "BCAD"


def test_with_a_default_only_that_follows() -> None:
    assert route("claude-haiku", "D") == "AD"
    assert route("claude-haiku", "A") == "A"


@pytest.mark.parametrize("model", ["gpt-5", "Claude-opus", "", "gone-1"])
def test_without_a_match_the_default_is_asked_or_everybody_as_in_failover(model: str) -> None:
    assert route(model, "A") == "A"
    assert route(model) == "CBAD"


def test_a_default_that_does_not_exist_counts_as_none() -> None:
    assert route("claude-haiku", "nobody") == "ACBD"
    assert route("gpt-5", "nobody") == "CBAD"


def test_a_match_that_cannot_be_selected_leaves_the_default_or_the_others() -> None:
    assert route("claude-opus-4", "D", [A, C, D]) == "D"
    assert route("claude-opus-4", "", [A, C, D]) == "CAD"


def test_a_default_that_is_merely_down_is_replaced_by_nobody() -> None:
    assert route("claude-haiku", "D", [A, B, C]) == "A"
    assert route("gpt-5", "D", [A, B, C]) == ""


def test_a_key_is_a_prefix_and_no_pattern() -> None:
    assert route("claude-opus-4", "C", mapping={"claude-*": "A"}) == "C"
