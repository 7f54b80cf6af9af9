"""Scenarios: rules on what a request is, that choose upstreams and model (behaviour 3.7).

    scenarios in file order ──► the first whose conditions all hold ──► narrowed candidates, model

A rule without conditions holds for every request. No rule touches the prompt.
"""

from collections.abc import Sequence

from relay.config.scenario import ScenarioConfig, WhenConfig
from relay.routing.pattern import any_fits, fits
from relay.routing.traits import Traits


def chosen(scenarios: Sequence[ScenarioConfig], traits: Traits) -> ScenarioConfig | None:
    """The first rule that holds for the request, or None."""
    return next((scenario for scenario in scenarios if holds(scenario.when, traits)), None)


def narrowed(names: Sequence[str], scenario: ScenarioConfig | None) -> list[str]:
    """Of these candidates the rule's providers, in the rule's order, each once.

    All of them where no rule holds or the rule names no providers.
    """
    if scenario is None or not scenario.use.providers:
        return list(names)
    # `dict.fromkeys`: a name that stands twice is one candidate.
    return [name for name in dict.fromkeys(scenario.use.providers) if name in names]


def holds(when: WhenConfig, traits: Traits) -> bool:
    """Whether all conditions that are given hold; those that cost most are asked last."""
    return (
        (not when.models or any_fits(when.models, traits.model))
        and (not when.agent or when.agent == traits.agent)
        and (not when.client or traits.client in when.client)
        and _headers_fit(when, traits)
        and (when.thinking is None or when.thinking == traits.thinking)
        and (not when.tools or _has_tool(when, traits))
        and (when.images is None or when.images == traits.images)
        and _size_fits(when, traits)
    )


def _headers_fit(when: WhenConfig, traits: Traits) -> bool:
    """A header that is not there fits no pattern, not even `*`."""
    return all(
        name in traits.headers and fits(pattern, traits.headers[name])
        for name, pattern in when.headers.items()
    )


def _has_tool(when: WhenConfig, traits: Traits) -> bool:
    return any(type_.startswith(when.tools) for type_ in traits.tool_types)


def _size_fits(when: WhenConfig, traits: Traits) -> bool:
    least, most = when.min_input_tokens, when.max_input_tokens
    return (least is None or least <= traits.input_tokens) and (
        most is None or traits.input_tokens <= most
    )
