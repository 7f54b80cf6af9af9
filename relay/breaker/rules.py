"""Rules: what the operator knows of his providers' errors, asked before the table.

`health.error_rules` in the order of the file; the first that fits decides. Some providers say
with one status what others say with another: an exhausted account as 400 "credit balance is too
low", an overload as 403. A rule says whose matter such an answer is:

    request      the client's answer; nobody else is asked
    key          the key rests or is set aside, another one is asked
    provider     the breaker counts a failure, another provider is asked
    ourselves    nobody is blamed, another provider is asked

Rules are for errors alone: they judge answers from 400 on, and `error` events with the status
they would have had. A client's own credential has no fate here; rules about keys pass it over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.breaker.classify import Counts, KeyFate, Left, Next, Scope, Verdict
from relay.config.error_rule import ErrorRuleConfig, ErrorRuleThenConfig

_MEANINGS: Final[Mapping[str, tuple[Scope, Counts, Next]]] = {
    "request": (Scope.REQUEST, Counts.SUCCESS, Next.NONE),
    "key": (Scope.KEY, Counts.SUCCESS, Next.KEY),
    "provider": (Scope.PROVIDER, Counts.FAILURE, Next.PROVIDER),
    "ourselves": (Scope.NOBODY, Counts.NEUTRAL, Next.PROVIDER),
}

# With these a client would take a refusal of our credential for one of its own.
_REFUSED: Final = frozenset({401, 403})
_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one configuration, ready to be asked."""

    rules: tuple["_Rule", ...]

    @classmethod
    def of_config(cls, rules: Sequence[ErrorRuleConfig]) -> "Rules":
        """The rules as the file has them."""
        return cls(tuple(_Rule.of_config(rule) for rule in rules))

    def of(
        self, status: int, error_type: str, message: str, provider: str, *, ours: bool
    ) -> Verdict | None:
        """The verdict of the first rule that fits, or None: the table's word holds.

        `error_type` and `message` are the upstream's, empty where it says nothing; `ours`: the
        credential came from the configuration.
        """
        if not self.rules or status < _FIRST_ERROR:
            return None
        for rule in self.rules:
            if rule.is_for(ours=ours) and rule.fits(status, error_type, message, provider):
                return rule.verdict(status, ours=ours)
        return None


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    statuses: tuple[str, ...]
    error_types: tuple[str, ...]
    message: str
    """In lower case."""
    providers: tuple[str, ...]
    then: ErrorRuleThenConfig

    @classmethod
    def of_config(cls, rule: ErrorRuleConfig) -> "_Rule":
        when = rule.when
        return cls(
            name=rule.name,
            statuses=when.statuses,
            error_types=when.error_types,
            message=when.message.lower(),
            providers=when.providers,
            then=rule.then,
        )

    def is_for(self, *, ours: bool) -> bool:
        return ours or self.then.scope != "key"

    def fits(self, status: int, error_type: str, message: str, provider: str) -> bool:
        """Whether everything the rule names is so; the cheap questions come first."""
        return (
            (not self.statuses or any(_is_status(status, each) for each in self.statuses))
            and (not self.error_types or _is_one_of(error_type, self.error_types))
            and (not self.providers or _is_one_of(provider, self.providers))
            and (not self.message or self.message in message.lower())
        )

    def verdict(self, status: int, *, ours: bool) -> Verdict:
        scope, counts, following = _MEANINGS[self.then.scope]
        is_refusal = ours and status in _REFUSED and following is not Next.NONE
        return Verdict(
            scope,
            self._fate(),
            counts,
            following,
            Left.CREDENTIAL_REFUSED if is_refusal else Left.ANSWER,
            rest_s=self.then.rest_ms / 1000 or None,
            rule=self.name,
        )

    def _fate(self) -> KeyFate:
        if self.then.scope != "key":
            return KeyFate.NONE
        return KeyFate.SET_ASIDE if self.then.set_aside else KeyFate.RESTS


def _is_status(status: int, pattern: str) -> bool:
    """`529`, `52x`, `5xx`."""
    return all(wanted in {"x", digit} for wanted, digit in zip(pattern, str(status), strict=False))


def _is_one_of(word: str, patterns: Sequence[str]) -> bool:
    """Each pattern is a word, or how it begins and `*`."""
    return any(
        word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern
        for pattern in patterns
    )
