"""`scenarios:` as they are loaded."""

from typing import Any

import pytest

from relay.config.scenario import ScenarioConfig, UseConfig, WhenConfig
from tests.config.conftest import Loading, Refusing
from tests.config.files import MINIMAL, a_file


def test_a_file_without_rules_has_none(loading: Loading) -> None:
    assert loading(MINIMAL).scenarios == ()


def test_rules_are_loaded_in_their_order_with_every_condition(loading: Loading) -> None:
    more = """
        scenarios:
          - name: background
            when:
              models: [claude-haiku-*]
              agent: sub
              thinking: false
              min_input_tokens: 10
              max_input_tokens: "${MOST}"
              tools: [web_search]
              images: true
              client: [ci]
              headers: {X-App: cli*}
            use: {providers: [main], model: m}
          - name: everything else
            use: {model: n}
    """

    scenarios = loading(a_file(more=more), {"MOST": "20"}).scenarios

    when = WhenConfig(
        models=("claude-haiku-*",),
        agent="sub",
        thinking=False,
        min_input_tokens=10,
        max_input_tokens=20,
        tools=("web_search",),
        images=True,
        client=("ci",),
        headers={"x-app": "cli*"},
    )
    assert scenarios == (
        ScenarioConfig("background", when, UseConfig(("main",), "m")),
        ScenarioConfig("everything else", WhenConfig(), UseConfig((), "n")),
    )


@pytest.mark.parametrize(
    ("scenarios", "fault"),
    [
        ("[{use: {model: m}}]", "scenarios[0].name is required"),
        (
            "[{name: a, use: {model: m}}, {name: a, use: {model: n}}]",
            'scenarios[1].name: "a" is there twice',
        ),
        ("[{name: a}]", "scenarios[0].use: needs providers, or model, or both"),
        (
            "[{name: a, use: {providers: []}}]",
            "scenarios[0].use: needs providers, or model, or both",
        ),
        (
            "[{name: a, when: {agent: both}, use: {model: m}}]",
            'scenarios[0].when.agent: "both" must be one of main, sub',
        ),
        (
            "[{name: a, when: {headers: {X-App: a, x-app: b}}, use: {model: m}}]",
            "scenarios[0].when.headers.x-app: is there twice (letter case makes no difference)",
        ),
        (
            "[{name: a, when: {min_input_tokens: -1}, use: {model: m}}]",
            "scenarios[0].when.min_input_tokens: -1 must be at least 0",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_refused(
    refusing: Refusing, scenarios: str, fault: str
) -> None:
    assert refusing(a_file(more=f"scenarios: {scenarios}")) == (fault,)


def test_a_provider_that_is_not_there_is_warned_about_in_its_place(loading: Loading) -> None:
    more = "scenarios: [{name: a, use: {providers: [main, gone]}}]"

    config = loading(a_file(more=more))

    assert 'scenarios[0].use.providers[1]: "gone" is no enabled provider' in config.warnings
    assert config.scenarios[0].use.providers == ("main", "gone")


@pytest.mark.parametrize(("line", "family"), [("", ""), ("signature_family: ours", "ours")])
def test_a_provider_keeps_the_signature_family_it_is_given(
    loading: Loading, line: str, family: Any
) -> None:
    assert loading(a_file(provider=line)).providers[0].signature_family == family
