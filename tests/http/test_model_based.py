"""The provider that a model's name asks for, over both workers (A.6: 53 to 55; behaviour 7.3)."""

import pytest

from tests.scripted.answers import says_error, says_message
from tests.scripted.client import MSG
from tests.scripted.fleet import Fleet

FAILS = says_error(500, "api_error")


def _put(fleet: Fleet, mapping: dict[str, str], default: str = "", threshold: int = 0) -> None:
    """Model prefix → letter. In failover order they stand C, A, B."""
    routing = {
        "strategy": "model_based",
        "model_mapping": {prefix: fleet.name(letter) for prefix, letter in mapping.items()},
        "default_provider": fleet.name(default) if default else "",
    }
    entries = [fleet.entry("A", priority=1), fleet.entry("B"), fleet.entry("C", priority=2)]
    breaker = {"failure_threshold": threshold} if threshold else {}
    fleet.put(*entries, routing=routing, breaker=breaker)


def _served(fleet: Fleet, model: str) -> str:
    """Who was asked for this model, in order."""
    before = len(fleet.hits)
    answer = fleet.post(MSG.replace(b"claude-x", model.encode()))
    assert answer.header("x-cc-relay-strategy") == "model_based"
    return fleet.hits[before:]


def test_the_longest_prefix_decides(fleet: Fleet) -> None:
    _put(fleet, {"claude": "A", "claude-opus": "B"})
    for _ in range(2):
        assert _served(fleet, "claude-opus-4") == "B"
        assert _served(fleet, "claude-haiku") == "A"
        assert _served(fleet, "claude") == "A"
        assert _served(fleet, "Claude-opus-4") == "C"  # case matters, so nothing fits


def test_a_listed_model_is_known_by_its_longer_name_too(fleet: Fleet) -> None:
    routing = {"strategy": "model_based", "model_mapping": {"GLM": fleet.name("B")}}
    entries = [fleet.entry("A"), fleet.entry("B", models=["GLM-5"])]
    fleet.put(*entries, routing=routing)
    body = MSG.replace(b"claude-x", b"anthropic/GLM-5")
    assert fleet.post(body).status == 200
    assert fleet["B"].only().body == MSG.replace(b"claude-x", b"GLM-5")


def test_unmatched_models_go_to_the_default(fleet: Fleet) -> None:
    _put(fleet, {"claude": "B"}, default="A")
    assert _served(fleet, "gpt-x") == "A"
    fleet["A"].answers_with(FAILS)
    assert _served(fleet, "gpt-x") == "A"  # a default is the end of the route


@pytest.mark.parametrize("model", ["gpt-x", None, 7])
def test_without_a_default_they_go_in_failover_order(fleet: Fleet, model: str | int | None) -> None:
    _put(fleet, {"claude": "B"})
    body = {
        None: b'{"messages":[]}',
        7: MSG.replace(b'"claude-x"', b"7"),
        "gpt-x": MSG.replace(b"claude-x", b"gpt-x"),
    }[model]
    for _ in range(2):
        assert fleet.post(body).status == 200
    assert fleet.hits == "CC"
    fleet["C"].answers_with(FAILS)
    fleet["A"].answers_with(FAILS)
    assert fleet.post(body).status == 200
    assert fleet.hits == "CCCAB"


@pytest.mark.parametrize(("default", "route"), [("A", "BA"), ("", "BCA")])
def test_a_target_that_fails_is_followed(fleet: Fleet, default: str, route: str) -> None:
    _put(fleet, {"claude": "B"}, default=default)
    for upstream in fleet.upstreams.values():
        upstream.answers_with(FAILS)
    assert _served(fleet, "claude-x") == route


@pytest.mark.parametrize(("default", "instead"), [("A", "A"), ("", "C")])
def test_a_target_with_an_open_breaker_is_passed_over(
    fleet: Fleet, default: str, instead: str
) -> None:
    _put(fleet, {"claude": "B"}, default=default, threshold=1)
    fleet["B"].answers_with(FAILS)
    assert _served(fleet, "claude-x") == "B" + instead
    fleet["B"].answers_with(says_message())
    assert [_served(fleet, "claude-x") for _ in range(4)] == [instead] * 4


def test_a_target_or_default_that_does_not_exist_is_passed_over(fleet: Fleet) -> None:
    routing = {
        "strategy": "model_based",
        "model_mapping": {"claude": "nobody", "glm": fleet.name("B")},
        "default_provider": "nobody either",
    }
    fleet.put(*(fleet.entry(letter) for letter in "ABC"), routing=routing)
    assert _served(fleet, "claude-x") == "A"
    fleet["B"].answers_with(FAILS)
    assert _served(fleet, "glm-x") == "BA"
