"""`health.error_rules`: what they are read as, and what is wrong with the others."""

import pytest

from relay.config.error_rule import (
    ErrorRuleConfig,
    ErrorRuleThenConfig,
    ErrorRuleWhenConfig,
)
from relay.config.showing import effective
from tests.config.conftest import Loading, Refusing
from tests.config.files import MINIMAL, a_file

PLACE = "health.error_rules[0]"


def rules(*texts: str) -> str:
    """A file with these rules."""
    return a_file(more=f"health: {{error_rules: [{', '.join(texts)}]}}")


def test_a_rule_is_read_with_its_defaults(loading: Loading) -> None:
    text = """{name: no money, when: {statuses: [400, "402", 5xx, 52x], message: "Credit Balance"},
        then: {scope: key, rest_ms: 5000}}"""

    config = loading(rules(text))

    assert config.warnings == ()
    assert config.health.error_rules == (
        ErrorRuleConfig(
            "no money",
            ErrorRuleWhenConfig(("400", "402", "5xx", "52x"), (), "Credit Balance", ()),
            ErrorRuleThenConfig("key", 5000, set_aside=False),
        ),
    )


def test_rules_keep_the_order_of_the_file(loading: Loading) -> None:
    texts = [
        f"{{name: {name}, when: {{error_types: [a, b*]}}, then: {{scope: request}}}}"
        for name in ("z", "a", "m")
    ]

    assert [rule.name for rule in loading(rules(*texts)).health.error_rules] == ["z", "a", "m"]


def test_a_file_without_rules_has_none(loading: Loading) -> None:
    assert loading(MINIMAL).health.error_rules == ()


def test_rules_are_shown_as_they_are_written(loading: Loading) -> None:
    config = loading(
        rules("{name: n, when: {statuses: [4xx], providers: [main]}, then: {scope: provider}}")
    )

    shown = effective(config)["health"]

    assert isinstance(shown, dict)
    assert shown["error_rules"] == [
        {
            "name": "n",
            "when": {"statuses": ["4xx"], "error_types": [], "message": "", "providers": ["main"]},
            "then": {"scope": "provider", "rest_ms": 0, "set_aside": False},
        }
    ]


WORDS = "must be one of request, key, provider, ourselves"
BROKEN = [
    ("{when: {message: abc}, then: {scope: key}}", "name is required"),
    (
        "{name: n, then: {scope: key}}",
        "when: needs at least one of statuses, error_types, message, providers",
    ),
    (
        "{name: n, when: {statuses: []}, then: {scope: key}}",
        "when: needs at least one of statuses, error_types, message, providers",
    ),
    ("{name: n, when: {message: abc}}", "then.scope is required"),
    ("{name: n, when: {message: abc}, then: {scope: keys}}", f'then.scope: "keys" {WORDS}'),
    (
        "{name: n, when: {statuses: [200]}, then: {scope: key}}",
        "when.statuses[0]: 200 must be a status from 400 to 599, or like 5xx",
    ),
    (
        "{name: n, when: {statuses: [400, x50]}, then: {scope: key}}",
        'when.statuses[1]: "x50" must be a status from 400 to 599, or like 5xx',
    ),
    (
        "{name: n, when: {statuses: [4x0]}, then: {scope: key}}",
        'when.statuses[0]: "4x0" must be a status from 400 to 599, or like 5xx',
    ),
    (
        "{name: n, when: {statuses: [true]}, then: {scope: key}}",
        "when.statuses[0]: true must be a status from 400 to 599, or like 5xx",
    ),
    (
        "{name: n, when: {statuses: 400}, then: {scope: key}}",
        "when.statuses: 400 is not a list of statuses",
    ),
    (
        "{name: n, when: {error_types: ['a*b']}, then: {scope: key}}",
        'when.error_types[0]: "a*b" may have a * at its end only',
    ),
    (
        "{name: n, when: {providers: ['']}, then: {scope: key}}",
        'when.providers[0]: "" is not a non-empty string',
    ),
    (
        "{name: n, when: {message: 'ab '}, then: {scope: key}}",
        'when.message: "ab " must have at least 3 characters',
    ),
    (
        "{name: n, when: {message: abc}, then: {scope: provider, rest_ms: 5}}",
        'then.rest_ms: has no meaning with scope "provider", only with "key"',
    ),
    (
        "{name: n, when: {message: abc}, then: {scope: request, set_aside: true}}",
        'then.set_aside: has no meaning with scope "request", only with "key"',
    ),
    (
        "{name: n, when: {message: abc}, then: {scope: key, set_aside: true, rest_ms: 5}}",
        "then.rest_ms: a key that is set aside does not rest: leave one out",
    ),
    (
        "{name: n, when: {message: abc}, then: {scope: key, rest_ms: -1}}",
        "then.rest_ms: -1 must be at least 0",
    ),
    (
        "{name: n, when: {status: [400]}, then: {scope: key}}",
        'when.status: unknown key, did you mean "statuses"?',
    ),
]


@pytest.mark.parametrize(("text", "fault"), BROKEN, ids=[fault for _, fault in BROKEN])
def test_a_broken_rule_is_refused_with_its_place(refusing: Refusing, text: str, fault: str) -> None:
    assert f"{PLACE}.{fault}" in refusing(rules(text))


def test_only_what_is_wrong_is_named(refusing: Refusing) -> None:
    faults = refusing(
        rules("{name: n, when: {statuses: [200]}, then: {scope: key, set_aside: true}}")
    )

    assert len(faults) == 1


def test_a_name_may_stand_once(refusing: Refusing) -> None:
    text = "{name: n, when: {message: abc}, then: {scope: key}}"

    assert refusing(rules(text, text)) == ('health.error_rules[1].name: "n" is there twice',)


def test_a_provider_that_is_not_there_gives_a_warning(loading: Loading) -> None:
    text = "{name: n, when: {providers: [main, ma*, other, ot*]}, then: {scope: key}}"

    assert loading(rules(text)).warnings == (
        f'{PLACE}.when.providers[2]: "other" fits no enabled provider',
        f'{PLACE}.when.providers[3]: "ot*" fits no enabled provider',
    )
