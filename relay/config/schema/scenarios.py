"""`scenarios:` — rules that send some requests elsewhere."""

from collections.abc import Mapping
from typing import Any

from relay.config.scenario import ScenarioConfig, UseConfig, WhenConfig
from relay.config.schema.collections import Names, Part, Renames
from relay.config.schema.numbers import Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Switch, Text, Word


class WhenSection(Section):
    """When a rule applies: all conditions that are given must hold."""

    fills = WhenConfig
    models = Names("patterns of the model asked for", default=())
    agent = Word("who asks", words=("", "main", "sub"), default="")
    thinking = Switch("whether thinking is asked for", default=None, shown_default="none")
    min_input_tokens = Whole("at least so many", default=None, shown_default="none")
    max_input_tokens = Whole("at most so many", default=None, shown_default="none")
    tools = Names("prefixes of tool types", default=())
    images = Switch("whether there are images", default=None, shown_default="none")
    client = Names("names of clients", default=())
    headers = Renames("header name → pattern of its value", default=dict)

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> WhenConfig:
        headers = {name.lower(): pattern for name, pattern in values["headers"].items()}
        return WhenConfig(**{**values, "headers": headers})


class UseSection(Section):
    """What a rule does."""

    fills = UseConfig
    providers = Names("candidates, in this order", default=())
    model = Text("model name sent instead", default="")


class ScenarioSection(Section):
    """One rule; the first that matches wins."""

    fills = ScenarioConfig
    name = Text("what the rule is called", refused="not unique")
    when = Part(WhenSection)
    use = Part(UseSection)
