"""What an attempt's outcome means: for the key, the breaker, the next attempt and the client.

Behaviour 8.2 as a table; everything here is a value or a look-up. `exchange` acts on it.

    status | error | error event | unusable answer ──► Verdict(scope, key, counts, next, left)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from relay.errors import UpstreamError, UpstreamLost, UpstreamSilent, UpstreamUnreachable


class Scope(Enum):
    """Whose matter it is."""

    NONE = auto()
    NETWORK = auto()
    AMBIGUOUS = auto()
    """The request was sent and may have been acted on; nobody said so."""
    OURSELVES = auto()
    REQUEST = auto()
    CLIENT = auto()
    KEY = auto()
    PROVIDER = auto()


class KeyFate(Enum):
    """What happens to the key of ours that was used."""

    NONE = auto()
    RESTS = auto()
    SET_ASIDE = auto()


class Counts(Enum):
    """What the breaker hears."""

    FAILURE = auto()
    SUCCESS = auto()
    NEUTRAL = auto()


class Next(Enum):
    """Who is asked next."""

    KEY = auto()
    """Another key of the same provider, then the next provider."""
    PROVIDER = auto()
    NONE = auto()
    """Nobody: this is the client's answer."""


class Left(Enum):
    """What the client gets when nobody is left to ask."""

    ANSWER = auto()
    """The upstream's own answer, byte for byte."""
    FAILED = auto()
    """502."""
    TIMED_OUT = auto()
    """504."""
    CREDENTIAL_REFUSED = auto()
    """502 that says so and asks not to be retried."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the table."""

    scope: Scope
    key: KeyFate
    counts: Counts
    next: Next
    left: Left


GOOD: Final = Verdict(Scope.NONE, KeyFate.NONE, Counts.SUCCESS, Next.NONE, Left.ANSWER)
CLIENT_LEFT: Final = Verdict(Scope.NONE, KeyFate.NONE, Counts.NEUTRAL, Next.NONE, Left.ANSWER)
"""The client closed its connection: says nothing about anybody."""

_UNREACHABLE: Final = Verdict(
    Scope.NETWORK, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.FAILED
)
_LOST: Final = Verdict(Scope.AMBIGUOUS, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.FAILED)
_SILENT: Final = Verdict(
    Scope.AMBIGUOUS, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.TIMED_OUT
)
_LOST_FOR_GOOD: Final = Verdict(
    Scope.AMBIGUOUS, KeyFate.NONE, Counts.FAILURE, Next.NONE, Left.FAILED
)
_SILENT_FOR_GOOD: Final = Verdict(
    Scope.AMBIGUOUS, KeyFate.NONE, Counts.FAILURE, Next.NONE, Left.TIMED_OUT
)
_NO_CREDENTIAL: Final = Verdict(
    Scope.OURSELVES, KeyFate.NONE, Counts.NEUTRAL, Next.PROVIDER, Left.CREDENTIAL_REFUSED
)
_REQUEST: Final = Verdict(Scope.REQUEST, KeyFate.NONE, Counts.SUCCESS, Next.NONE, Left.ANSWER)
_THEIRS_REFUSED: Final = Verdict(Scope.CLIENT, KeyFate.NONE, Counts.SUCCESS, Next.NONE, Left.ANSWER)
_OURS_REFUSED: Final = Verdict(
    Scope.KEY, KeyFate.SET_ASIDE, Counts.SUCCESS, Next.KEY, Left.CREDENTIAL_REFUSED
)
_OURS_UNPAID: Final = Verdict(Scope.KEY, KeyFate.SET_ASIDE, Counts.SUCCESS, Next.KEY, Left.ANSWER)
_OURS_LIMITED: Final = Verdict(Scope.KEY, KeyFate.RESTS, Counts.SUCCESS, Next.KEY, Left.ANSWER)
_THEIRS_LIMITED: Final = Verdict(Scope.CLIENT, KeyFate.NONE, Counts.NEUTRAL, Next.NONE, Left.ANSWER)
_PROVIDER_ANSWERED: Final = Verdict(
    Scope.PROVIDER, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.ANSWER
)
_PROVIDER_UNUSABLE: Final = Verdict(
    Scope.PROVIDER, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.FAILED
)

_OURS: Final[Mapping[int, Verdict]] = {
    401: _OURS_REFUSED,
    402: _OURS_UNPAID,
    403: _OURS_REFUSED,
    429: _OURS_LIMITED,
}
_THEIRS: Final[Mapping[int, Verdict]] = {
    401: _THEIRS_REFUSED,
    403: _THEIRS_REFUSED,
    429: _THEIRS_LIMITED,
}

# Which status an error event would have been. Types of the provider kind, and those nobody has
# heard of, are not here: they mean that the provider failed, and end as 502.
_STATUS_OF_EVENT: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
}


def of_status(status: int, *, ours: bool) -> Verdict:
    """Judge an answer by its status. `ours`: the credential came from the configuration."""
    match status // 100:
        case 2:
            return GOOD
        case 3:
            return _PROVIDER_UNUSABLE
        case 4:
            return (_OURS if ours else _THEIRS).get(status, _REQUEST)
        case _:
            return _PROVIDER_ANSWERED


def of_error(error: UpstreamError, *, retry_ambiguous: bool) -> Verdict:
    """Judge an attempt that met an error instead of a usable answer, before commit.

    `retry_ambiguous`: another provider may be asked though the first may have acted.
    """
    if isinstance(error, UpstreamUnreachable):
        return _UNREACHABLE
    if isinstance(error, UpstreamLost):
        return _LOST if retry_ambiguous else _LOST_FOR_GOOD
    if isinstance(error, UpstreamSilent):
        return _SILENT if retry_ambiguous else _SILENT_FOR_GOOD
    return _PROVIDER_UNUSABLE  # the head came, the body broke or fell silent


def of_error_event(error_type: str, *, ours: bool) -> Verdict:
    """Judge a 200 whose first event is an `error` of this type."""
    status = _STATUS_OF_EVENT.get(error_type)
    return _PROVIDER_UNUSABLE if status is None else of_status(status, ours=ours)


def status_of_event(error_type: str) -> int:
    """The status a client gets for an `error` event that came before commit."""
    return _STATUS_OF_EVENT.get(error_type, 502)


def of_unusable() -> Verdict:
    """Judge a 200 with an empty body, HTML, a JSON error, or an end before any content."""
    return _PROVIDER_UNUSABLE


def of_missing_credential() -> Verdict:
    """Judge an attempt for which no credential of ours could be obtained: nothing was sent."""
    return _NO_CREDENTIAL
