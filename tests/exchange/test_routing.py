"""From candidates to a route (behaviour 7.1)."""

import pytest

from relay.breaker.transitions import State
from relay.errors import AllUnhealthy, Forbidden
from tests.exchange.conftest import Drive
from tests.exchange.routed import (
    NOWHERE,
    breaker,
    exchange,
    excluded,
    fail,
    message,
    order,
    route,
    state,
)
from tests.scripted.config import config, provider

A, B, C = (provider(name, NOWHERE, f"k{name}") for name in "ABC")
DOWN = "its breaker is open"
ELSEWHERE = "routing.model_mapping sends this model elsewhere"
OTHERS = "the scenario names others"
STRANGER = {"authorization": "Bearer own"}


# Scenarios


def test_a_scenario_narrows_the_route_to_its_providers(drive: Drive) -> None:
    scenario = {"name": "subs", "when": {"agent": "sub"}, "use": {"providers": ["C", "A"]}}
    driven = drive(config(A, B, C, scenarios=[scenario]))

    found = route(driven, headers={"x-claude-code-agent-id": "7"})

    assert [upstream.name for upstream in found.order] == ["C", "A"]
    assert (found.scenario, found.model) == ("subs", "claude-x")
    assert excluded(found) == {"B": OTHERS}
    assert order(driven) == "ABC"
    assert route(driven).scenario == ""


def test_a_scenario_may_set_the_model_and_leave_the_providers(drive: Drive) -> None:
    scenario = {"name": "small", "when": {"models": ["claude-x"]}, "use": {"model": "tiny"}}
    driven = drive(config(A, B, scenarios=[scenario]))

    found = route(driven)

    assert (found.model, len(found.order), found.excluded) == ("tiny", 2, ())
    assert route(driven, message("claude-y")).model == "claude-y"


def test_the_first_scenario_that_holds_is_the_only_one(drive: Drive) -> None:
    scenarios = [
        {"name": "never", "when": {"images": True}, "use": {"model": "a"}},
        {"name": "first", "when": {"max_input_tokens": 1000}, "use": {"model": "b"}},
        {"name": "second", "use": {"model": "c", "providers": ["B"]}},
    ]
    driven = drive(config(A, B, scenarios=scenarios))

    found = route(driven)

    assert (found.scenario, found.model, len(found.order)) == ("first", "b", 2)


def test_a_scenario_whose_providers_are_all_down_leaves_nobody(drive: Drive) -> None:
    scenario = {"name": "s", "use": {"providers": ["A"]}}
    driven = drive(config(A, B, scenarios=[scenario], health=breaker(open_duration_ms=20_000)))
    fail(driven, "A")

    with pytest.raises(AllUnhealthy) as raised:
        route(driven)

    assert raised.value.retry_after_s == pytest.approx(20, abs=1)


# Who may be asked


def test_a_client_with_a_credential_of_its_own_goes_only_where_it_is_taken(drive: Drive) -> None:
    server = {"auth": {"allow_bearer": True, "any_bearer_uses_keys": False}}
    driven = drive(config(A, provider("Z", NOWHERE, "kz", type="zai"), server=server))

    found = route(driven, headers=STRANGER)

    assert [upstream.name for upstream in found.order] == ["A"]
    assert excluded(found) == {"Z": "this client may not use it"}


def test_a_client_that_may_use_nobody_is_refused_even_while_all_are_down(drive: Drive) -> None:
    server = {"auth": {"allow_bearer": True, "any_bearer_uses_keys": False}}
    only = provider("Z", NOWHERE, "kz", type="zai")
    driven = drive(config(only, server=server, health=breaker()))
    fail(driven, "Z")

    with pytest.raises(Forbidden):
        route(driven, headers=STRANGER)


def test_a_provider_whose_breaker_is_open_is_left_out(drive: Drive) -> None:
    driven = drive(config(A, B, C, health=breaker()))
    fail(driven, "B")

    found = route(driven)

    assert [upstream.name for upstream in found.order] == ["A", "C"]
    assert excluded(found) == {"B": DOWN}


def test_it_is_asked_again_when_its_time_is_over(drive: Drive) -> None:
    driven = drive(config(A, B, health=breaker(open_duration_ms=5000)))
    fail(driven, "A")
    assert order(driven) == "B"

    driven.clock.ahead_s += 5.1

    assert state(driven, "A") is State.HALF_OPEN
    assert order(driven) == "AB"


def test_with_all_of_them_open_the_wait_is_for_the_first_to_turn_half_open(drive: Drive) -> None:
    driven = drive(config(A, B, health=breaker(open_duration_ms=30_000)))
    fail(driven, "A")
    driven.clock.ahead_s += 12
    fail(driven, "B")

    with pytest.raises(AllUnhealthy) as raised:
        route(driven)

    assert raised.value.retry_after_s == pytest.approx(18, abs=0.5)
    assert str(raised.value) == "all providers unhealthy"


def test_a_provider_whose_keys_all_rest_stays_in_the_route(drive: Drive) -> None:
    driven = drive(config(A, B))
    driven.runtime.means.upstreams[0].pool.rest(0, 60)

    assert order(driven) == "AB"


def test_a_provider_that_is_left_out_gives_its_turn_to_the_others(drive: Drive) -> None:
    driven = drive(config(A, B, C, routing={"strategy": "round_robin"}, health=breaker()))
    assert [order(driven)[0] for _ in range(2)] == ["A", "B"]
    fail(driven, "C")

    assert [order(driven) for _ in range(3)] == ["AB", "BA", "AB"]


# Strategies, as the configuration names them


@pytest.mark.parametrize(
    ("strategy", "first"),
    [
        ("round_robin", "ABCABCABC"),
        ("weighted_round_robin", "ABCABCABC"),
        ("failover", "AAAAAAAAA"),
    ],
)
def test_a_strategy_goes_on_from_request_to_request(
    drive: Drive, strategy: str, first: str
) -> None:
    driven = drive(config(A, B, C, routing={"strategy": strategy}))

    assert "".join(order(driven)[0] for _ in first) == first


def test_weights_are_those_of_the_configuration(drive: Drive) -> None:
    weighted = [A | {"weight": 3}, B | {"weight": 2}, C]
    driven = drive(config(*weighted, routing={"strategy": "weighted_round_robin"}))

    assert "".join(order(driven)[0] for _ in range(12)) == "ABACBA" * 2


def test_a_shuffled_deck_has_everybody_once(drive: Drive) -> None:
    driven = drive(config(A, B, C, routing={"strategy": "shuffle"}))

    dealt = [order(driven) for _ in range(30)]

    decks = ["".join(each[0] for each in dealt[start : start + 3]) for start in range(0, 30, 3)]
    assert {"".join(sorted(deck)) for deck in [*dealt, *decks]} == {"ABC"}
    assert len(set(decks)) > 1


def test_a_strategy_goes_on_where_it_was_after_a_reload(drive: Drive) -> None:
    settings = config(A, B, C, routing={"strategy": "round_robin"})
    driven = drive(settings)
    assert [order(driven)[0] for _ in range(2)] == ["A", "B"]

    driven.renewed(settings)

    assert order(driven)[0] == "C"


@pytest.mark.parametrize("strategy", ["round_robin", "weighted_round_robin", "shuffle"])
def test_a_look_ahead_tells_the_next_route_and_moves_no_turn(drive: Drive, strategy: str) -> None:
    driven = drive(config(A, B, C, routing={"strategy": strategy}))
    for _ in range(5):
        looks = {order(driven, peek=True) for _ in range(3)}

        assert looks == {order(driven)}


# Model based, which is a filter, too


def test_a_model_goes_to_the_provider_of_its_longest_prefix_and_to_the_default(
    drive: Drive,
) -> None:
    routing = {
        "strategy": "model_based",
        "model_mapping": {"claude": "A", "claude-x": "B"},
        "default_provider": "C",
    }
    driven = drive(config(A, B, C, routing=routing))

    found = route(driven)

    assert [upstream.name for upstream in found.order] == ["B", "C"]
    assert excluded(found) == {"A": ELSEWHERE}
    assert order(driven, message("claude-9")) == "AC"
    assert order(driven, message("gpt")) == "C"


def test_without_a_default_the_others_follow(drive: Drive) -> None:
    routing = {"strategy": "model_based", "model_mapping": {"claude-x": "C"}}
    driven = drive(config(A, B, C, routing=routing))

    assert order(driven) == "CAB"
    assert route(driven).excluded == ()


def test_a_model_whose_providers_are_all_down_is_nobody_s(drive: Drive) -> None:
    routing = {"strategy": "model_based", "model_mapping": {"claude": "A"}, "default_provider": "B"}
    health = breaker(open_duration_ms=20_000)
    driven = drive(config(A, B, C, routing=routing, health=health))
    fail(driven, "A")
    assert order(driven) == "B"
    fail(driven, "B")

    with pytest.raises(AllUnhealthy) as raised:
        route(driven)

    assert raised.value.retry_after_s == pytest.approx(20, abs=1)


def test_the_exchange_itself_names_no_scenario_model(drive: Drive) -> None:
    driven = drive(config(A, scenarios=[{"name": "s", "use": {"model": "tiny"}}]))

    assert exchange(driven).model == "claude-x"
