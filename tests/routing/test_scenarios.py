"""Rules on what a request is: each condition alone, several together, and what they choose."""

from typing import Any

import pytest

from relay.config.scenario import ScenarioConfig, UseConfig, WhenConfig
from relay.routing.scenarios import chosen, holds, narrowed
from relay.routing.traits import Traits
from tests.routing.asked import asked

SUB = {"x-claude-code-agent-id": "0a1b"}
THINKING = {"thinking": {"type": "adaptive"}}
SEARCH = {"tools": [{"name": "Bash"}, {"type": "web_search_20250305", "name": "web_search"}]}
IMAGE = {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}


def rule(name: str, use: UseConfig | None = None, **when: Any) -> ScenarioConfig:
    return ScenarioConfig(name, WhenConfig(**when), use or UseConfig(model="m"))


def sized(tokens: int) -> Traits:
    return asked(estimated_tokens=lambda: tokens)


@pytest.mark.parametrize(
    ("when", "fitting", "other"),
    [
        (WhenConfig(models=("x", "claude-haiku-*")), asked(model="claude-haiku-5-5"), asked()),
        (WhenConfig(agent="sub"), asked(headers=SUB), asked()),
        (WhenConfig(agent="main"), asked(), asked(headers=SUB)),
        (WhenConfig(thinking=True), asked(THINKING), asked()),
        (WhenConfig(thinking=False), asked(), asked(THINKING)),
        (WhenConfig(min_input_tokens=10), sized(10), sized(9)),
        (WhenConfig(max_input_tokens=10), sized(10), sized(11)),
        (WhenConfig(min_input_tokens=1, max_input_tokens=0), None, sized(1)),
        (WhenConfig(max_input_tokens=0), None, sized(1)),
        (WhenConfig(tools=("computer", "web_search")), asked(SEARCH), asked()),
        (WhenConfig(images=True), asked(IMAGE), asked()),
        (WhenConfig(images=False), asked(), asked(IMAGE)),
        (WhenConfig(client=("ci", "me")), asked(client="me"), asked(client="you")),
        (WhenConfig(client=("me",)), None, asked()),
        (WhenConfig(headers={"x-app": "cli*"}), asked(headers={"x-app": "cli-2"}), asked()),
        (WhenConfig(headers={"x-app": "*"}), asked(headers={"x-app": ""}), asked()),
        (WhenConfig(headers={"x-app": "cli"}), None, asked(headers={"x-app": "cli-2"})),
    ],
)
def test_each_condition_alone(when: WhenConfig, fitting: Traits | None, other: Traits) -> None:
    assert fitting is None or holds(when, fitting)
    assert not holds(when, other)


def test_all_conditions_of_a_rule_must_hold() -> None:
    when = WhenConfig(
        models=("claude-*",),
        agent="sub",
        thinking=True,
        min_input_tokens=5,
        max_input_tokens=9,
        tools=("web_",),
        images=True,
        client=("me",),
        headers={"x-app": "cli", "x-claude-code-agent-id": "0a*"},
    )
    full: dict[str, Any] = {
        "body": THINKING | SEARCH | IMAGE,
        "client": "me",
        "headers": {"x-app": "cli", **SUB},
        "estimated_tokens": lambda: 7,
    }
    short: list[dict[str, Any]] = [
        {"model": "gpt"},
        {"body": SEARCH | IMAGE},
        {"body": THINKING | IMAGE},
        {"body": THINKING | SEARCH},
        {"client": "you"},
        {"headers": SUB},
        {"headers": {"x-app": "cli"}},
        {"estimated_tokens": lambda: 4},
        {"estimated_tokens": lambda: 10},
    ]

    assert holds(when, asked(**full))
    assert [holds(when, asked(**(full | lacking))) for lacking in short] == [False] * len(short)


def test_the_size_is_not_estimated_for_a_rule_that_fails_already() -> None:
    # `asked` fails the test when the size is asked for.
    assert not holds(WhenConfig(models=("gpt-*",), min_input_tokens=5), asked())


def test_the_first_rule_that_holds_wins() -> None:
    rules = [rule("a", models=("gpt-*",)), rule("b", agent="main"), rule("c")]

    assert chosen(rules, asked()) is rules[1]
    assert chosen(rules, asked(headers=SUB)) is rules[2]
    assert chosen(rules[:1], asked()) is None
    assert chosen([], asked()) is None


def test_candidates_are_those_of_the_rule_in_its_order() -> None:
    use = UseConfig(providers=("C", "gone", "A", "C"))

    assert narrowed(["A", "B", "C"], rule("r", use)) == ["C", "A"]


def test_a_rule_that_only_names_a_model_narrows_nothing() -> None:
    assert narrowed(["A", "B", "C"], rule("r")) == ["A", "B", "C"]
    assert narrowed(["A", "B", "C"], None) == ["A", "B", "C"]
