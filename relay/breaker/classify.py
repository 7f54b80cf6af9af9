"""What an attempt's outcome means: for the key, the breaker, the next attempt and the client.

Behaviour 8.2 as a table; everything here is a value or a look-up. `exchange` acts on it.

    status | error | error event | unusable answer ──► Verdict(scope, key, counts, next, left)

What an operator has said about an answer (`rules`) comes before the table. Scopes are finer than
what follows from them: a model nobody has is still the request's matter, a machine in front of
the provider is still the provider's. They are for whoever reads the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from relay.errors import UpstreamError, UpstreamLost, UpstreamSilent, UpstreamUnreachable
from relay.messages.events import ErrorReport

Headers = Sequence[tuple[str, str]]
"""As they came, names in lower case."""

FAR_S: Final = 300.0
"""A limit that ends later is an account's window (five hours, a week); a throttle's is a minute."""


class Scope(Enum):
    """Whose matter it is."""

    NONE = auto()
    NETWORK = auto()
    AMBIGUOUS = auto()
    """The request was sent and may have been acted on; nobody said so."""
    OURSELVES = auto()
    """Nothing was sent."""
    NOBODY = auto()
    """Answered, and by an operator's word nobody is to blame (`ourselves` of `rules`)."""
    REQUEST = auto()
    MODEL = auto()
    """The request's, and of it the model: this provider has none of that name."""
    CLIENT = auto()
    KEY = auto()
    THROTTLE = auto()
    """The key's, for a moment: too much in a minute."""
    ACCOUNT = auto()
    """The key's, for long: its window is used up."""
    PROVIDER = auto()
    EDGE = auto()
    """The provider's, and of it a machine in front: a redirect, a page, a status of a CDN."""


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
    rest_s: float | None = None
    """How long a key rests by an operator's word; None: as the headers say."""
    rule: str = ""
    """The operator's rule it comes from."""


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
_NO_SUCH_MODEL: Final = replace(_REQUEST, scope=Scope.MODEL)
_THEIRS_REFUSED: Final = Verdict(Scope.CLIENT, KeyFate.NONE, Counts.SUCCESS, Next.NONE, Left.ANSWER)
_OURS_REFUSED: Final = Verdict(
    Scope.KEY, KeyFate.SET_ASIDE, Counts.SUCCESS, Next.KEY, Left.CREDENTIAL_REFUSED
)
_OURS_UNPAID: Final = Verdict(Scope.KEY, KeyFate.SET_ASIDE, Counts.SUCCESS, Next.KEY, Left.ANSWER)
_OURS_THROTTLED: Final = Verdict(
    Scope.THROTTLE, KeyFate.RESTS, Counts.SUCCESS, Next.KEY, Left.ANSWER
)
_OURS_USED_UP: Final = replace(_OURS_THROTTLED, scope=Scope.ACCOUNT)
_THEIRS_LIMITED: Final = Verdict(Scope.CLIENT, KeyFate.NONE, Counts.NEUTRAL, Next.NONE, Left.ANSWER)
_PROVIDER_ANSWERED: Final = Verdict(
    Scope.PROVIDER, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.ANSWER
)
_EDGE_ANSWERED: Final = replace(_PROVIDER_ANSWERED, scope=Scope.EDGE)
_PROVIDER_UNUSABLE: Final = Verdict(
    Scope.PROVIDER, KeyFate.NONE, Counts.FAILURE, Next.PROVIDER, Left.FAILED
)
_EDGE_REDIRECTED: Final = replace(_PROVIDER_UNUSABLE, scope=Scope.EDGE)

_OURS: Final[Mapping[int, Verdict]] = {
    401: _OURS_REFUSED,
    402: _OURS_UNPAID,
    403: _OURS_REFUSED,
    429: _OURS_THROTTLED,
}
_THEIRS: Final[Mapping[int, Verdict]] = {
    401: _THEIRS_REFUSED,
    403: _THEIRS_REFUSED,
    429: _THEIRS_LIMITED,
}

# Cloudflare's own, for an origin it cannot reach or understand; 529 among them is Anthropic's.
# https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
_EDGE_STATUSES: Final = frozenset(range(520, 531)) - {529}
_NOT_FOUND: Final = 404

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


def of_status(
    status: int,
    *,
    ours: bool,
    headers: Headers = (),
    error: ErrorReport | None = None,
    resets_in_s: float | None = None,
) -> Verdict:
    """Judge an answer by its status. `ours`: the credential came from the configuration.

    The rest makes the scope finer: `error` is what the body says, if it is JSON and was read;
    `resets_in_s` how long a key that got this 429 is to rest.
    """
    match status // 100:
        case 2:
            return GOOD
        case 3:
            return _EDGE_REDIRECTED
        case 4:
            return _of_refusal(status, ours=ours, error=error, resets_in_s=resets_in_s)
        case _:
            is_edge = status in _EDGE_STATUSES or _is_page(headers)
            return _EDGE_ANSWERED if is_edge else _PROVIDER_ANSWERED


def _of_refusal(
    status: int, *, ours: bool, error: ErrorReport | None, resets_in_s: float | None
) -> Verdict:
    verdict = (_OURS if ours else _THEIRS).get(status, _REQUEST)
    if verdict is _OURS_THROTTLED and resets_in_s is not None and resets_in_s > FAR_S:
        return _OURS_USED_UP
    is_of_model = (
        status == _NOT_FOUND
        and error is not None
        and error.type == "not_found_error"
        and "model" in error.message.lower()
    )
    return _NO_SUCH_MODEL if is_of_model else verdict


def _is_page(headers: Headers) -> bool:
    """Whether the body is HTML: no Messages API answers with a page, machines in front do."""
    kind = next((value for name, value in headers if name == "content-type"), "")
    return kind.partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}


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


def of_error_event(
    error_type: str, *, ours: bool, message: str = "", resets_in_s: float | None = None
) -> Verdict:
    """Judge a 200 whose first event is an `error` of this type; the rest as for `of_status`."""
    status = _STATUS_OF_EVENT.get(error_type)
    if status is None:
        return _PROVIDER_UNUSABLE
    error = ErrorReport(error_type, message)
    return of_status(status, ours=ours, error=error, resets_in_s=resets_in_s)


def status_of_event(error_type: str) -> int:
    """The status a client gets for an `error` event that came before commit."""
    return _STATUS_OF_EVENT.get(error_type, 502)


def of_unusable() -> Verdict:
    """Judge a 200 with an empty body, HTML, a JSON error, or an end before any content."""
    return _PROVIDER_UNUSABLE


def of_missing_credential() -> Verdict:
    """Judge an attempt for which no credential of ours could be obtained: nothing was sent."""
    return _NO_CREDENTIAL
