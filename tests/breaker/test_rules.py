"""What an operator's rule makes of an error, and when it holds its tongue."""

import pytest

from relay.breaker.classify import Counts, KeyFate, Left, Next, Scope, Verdict
from relay.breaker.rules import Rules
from relay.config.error_rule import (
    ErrorRuleConfig,
    ErrorRuleThenConfig,
    ErrorRuleWhenConfig,
    RuleScope,
)


def a_rule(
    scope: RuleScope = "provider",
    *,
    name: str = "a rule",
    statuses: tuple[str, ...] = (),
    error_types: tuple[str, ...] = (),
    message: str = "",
    providers: tuple[str, ...] = (),
    rest_ms: int = 0,
    set_aside: bool = False,
) -> ErrorRuleConfig:
    when = ErrorRuleWhenConfig(statuses, error_types, message, providers)
    return ErrorRuleConfig(name, when, ErrorRuleThenConfig(scope, rest_ms, set_aside))


def judged(*rules: ErrorRuleConfig, status: int = 400, ours: bool = True) -> Verdict | None:
    """What they say to one and the same error."""
    return Rules.of_config(rules).of(
        status,
        "invalid_request_error",
        "Your credit balance is too low to access the API",
        "main",
        ours=ours,
    )


NONE = KeyFate.NONE
MEANINGS = [
    (
        a_rule("request"),
        Verdict(Scope.REQUEST, NONE, Counts.SUCCESS, Next.NONE, Left.ANSWER, rule="a rule"),
    ),
    (
        a_rule("key"),
        Verdict(
            Scope.KEY, KeyFate.RESTS, Counts.SUCCESS, Next.KEY, Left.ANSWER, None, rule="a rule"
        ),
    ),
    (
        a_rule("key", rest_ms=1500),
        Verdict(
            Scope.KEY, KeyFate.RESTS, Counts.SUCCESS, Next.KEY, Left.ANSWER, 1.5, rule="a rule"
        ),
    ),
    (
        a_rule("key", set_aside=True),
        Verdict(Scope.KEY, KeyFate.SET_ASIDE, Counts.SUCCESS, Next.KEY, Left.ANSWER, rule="a rule"),
    ),
    (
        a_rule("provider"),
        Verdict(Scope.PROVIDER, NONE, Counts.FAILURE, Next.PROVIDER, Left.ANSWER, rule="a rule"),
    ),
    (
        a_rule("ourselves"),
        Verdict(Scope.NOBODY, NONE, Counts.NEUTRAL, Next.PROVIDER, Left.ANSWER, rule="a rule"),
    ),
]


@pytest.mark.parametrize(("rule", "verdict"), MEANINGS, ids=lambda each: str(each)[:60])
def test_a_rule_says_whose_matter_an_error_is(rule: ErrorRuleConfig, verdict: Verdict) -> None:
    assert judged(rule) == verdict


FITTING = [
    a_rule(),
    a_rule(statuses=("400",)),
    a_rule(statuses=("529", "4xx")),
    a_rule(statuses=("40x",)),
    a_rule(error_types=("invalid_request_error",)),
    a_rule(error_types=("other", "invalid_*")),
    a_rule(message="credit balance"),
    a_rule(message="CREDIT Balance"),
    a_rule(providers=("main",)),
    a_rule(providers=("ma*",)),
    a_rule(providers=("*",)),
    a_rule(
        statuses=("400",),
        error_types=("invalid_request_error",),
        message="too low",
        providers=("main",),
    ),
]


@pytest.mark.parametrize("rule", FITTING, ids=lambda rule: str(rule.when))
def test_a_rule_fits_when_everything_it_names_is_so(rule: ErrorRuleConfig) -> None:
    assert judged(rule) is not None


OTHERS = [
    a_rule(statuses=("402", "5xx", "41x")),
    a_rule(error_types=("invalid_request",)),
    a_rule(error_types=("api_*",)),
    a_rule(message="credit  balance"),
    a_rule(providers=("mai",)),
    a_rule(providers=("main2", "other*")),
    a_rule(statuses=("400",), message="overloaded"),
    a_rule(statuses=("400",), message="too low", providers=("other",)),
]


@pytest.mark.parametrize("rule", OTHERS, ids=lambda rule: str(rule.when))
def test_a_rule_of_which_one_thing_is_not_so_leaves_it_to_the_table(rule: ErrorRuleConfig) -> None:
    assert judged(rule) is None


def test_the_first_rule_that_fits_decides() -> None:
    verdict = judged(
        a_rule("request", name="one", statuses=("5xx",)),
        a_rule("key", name="two", statuses=("400",)),
        a_rule("provider", name="three"),
    )

    assert verdict is not None
    assert verdict.rule == "two"


def test_without_rules_the_table_holds() -> None:
    assert judged() is None


@pytest.mark.parametrize("status", [200, 204, 301, 307, 399])
def test_rules_are_for_errors(status: int) -> None:
    assert judged(a_rule(), status=status) is None


def test_a_clients_own_credential_has_no_fate_and_the_next_rule_is_asked() -> None:
    about_keys = a_rule("key", name="about keys", set_aside=True)

    assert judged(about_keys, ours=False) is None
    verdict = judged(about_keys, a_rule("provider", name="about others"), ours=False)
    assert verdict is not None
    assert (verdict.rule, verdict.key) == ("about others", KeyFate.NONE)


@pytest.mark.parametrize("scope", ["request", "provider", "ourselves"])
def test_other_rules_hold_for_a_clients_own_credential_too(scope: RuleScope) -> None:
    assert judged(a_rule(scope), ours=False) == judged(a_rule(scope), ours=True)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("scope", ["key", "provider", "ourselves"])
def test_a_refusal_of_our_credential_is_not_handed_on(status: int, scope: RuleScope) -> None:
    of_ours = judged(a_rule(scope), a_rule(), status=status)
    of_theirs = judged(a_rule(scope), a_rule(), status=status, ours=False)

    assert of_ours is not None
    assert of_theirs is not None
    assert (of_ours.left, of_theirs.left) == (Left.CREDENTIAL_REFUSED, Left.ANSWER)


def test_an_answer_that_a_rule_calls_the_requests_own_is_the_clients_whatever_its_status() -> None:
    verdict = judged(a_rule("request", statuses=("403",)), status=403)

    assert verdict is not None
    assert (verdict.next, verdict.left) == (Next.NONE, Left.ANSWER)
