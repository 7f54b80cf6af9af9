"""Which header fields cross the relay, in both directions (behaviour 4.5 and 4.7).

    client ── request_headers ──► upstream      everything, less what is ours, private or hop-by-hop
    client ◄── response_headers ── upstream     the same, plus what keeps an event stream unbuffered

Pure, and run by every exchange: fixed sets and one loop. Credentials, the request id and the
debug headers are added by the caller.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from relay.errors import InvalidRequest

ANTHROPIC_VERSION: Final = "2023-06-01"

# RFC 9110 §7.6.1 and the older names that still occur.
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    }
)
_CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "cookie"})
_WHO_THE_USER_IS: Final = frozenset(
    {"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "via"}
)
_MADE_ANEW: Final = frozenset({"host", "content-length", "expect", "x-selected-key"})

_NOT_UPSTREAM: Final = _HOP_BY_HOP | _CREDENTIALS | _WHO_THE_USER_IS | _MADE_ANEW
_NOT_UPSTREAM_PREFIXES: Final = ("x-forwarded-", "x-cc-relay-")

_NOT_DOWNSTREAM: Final = _HOP_BY_HOP | {
    "set-cookie",
    "server",
    "date",
    "alt-svc",
    "strict-transport-security",
    "x-request-id",
}
_NOT_DOWNSTREAM_PREFIXES: Final = ("access-control-", "x-cc-relay-")
_ABOUT_OUR_KEYS: Final = ("anthropic-ratelimit-", "anthropic-organization-id")

_EVENT_STREAM: Final = "text/event-stream"
# What we say about caching and buffering replaces what the upstream says.
_SAID_BY_US_ON_STREAMS: Final = frozenset(
    {"content-type", "content-length", "cache-control", "x-accel-buffering"}
)
EVENT_STREAM_HEADERS: Final = (
    ("content-type", _EVENT_STREAM),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
)
"""What stands on every event stream, also on one whose upstream has not answered yet."""

# What gunicorn accepts in a response; anything else would turn the upstream's answer into our 500.
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")

# Claude Code stops for good over a wait it finds unreasonable; an hour is the longest rest we
# give a key ourselves (`health.cooldown.max_ms`).
_LONGEST_WAIT_S: Final = 3600
_WAITS: Final = frozenset({"retry-after", "retry-after-ms"})


def request_headers(headers: Mapping[str, str], *, messages: bool) -> dict[str, str]:
    """The end-to-end headers for an upstream, in the client's order; names in lower case.

    `messages`: the path is `/v1/messages` or `count_tokens`, whose body is JSON whatever the
    client calls it. Credentials are left out: the caller adds the one that 5.2 decides on.

    Raises: `InvalidRequest` for a value with CR, LF or NUL.
    """
    _refuse_broken_lines(headers)
    crossing = _crossing(tuple(headers), headers.get("connection", ""))
    out = {name: headers[name] for name in crossing}
    if messages:
        out["content-type"] = "application/json"
    if not out.get("anthropic-version"):
        out["anthropic-version"] = ANTHROPIC_VERSION
    if "accept-encoding" not in out:
        out["accept-encoding"] = "identity"
    return out


def response_headers(
    headers: Sequence[tuple[str, str]], *, pooled: bool, converted: bool = False
) -> list[tuple[str, str]]:
    """The headers for the client, in the upstream's order; names in lower case.

    `pooled`: the credential came from a pool of several keys, so limits in the headers are not
    the client's. `converted`: the body will not be the upstream's bytes. The length of an event
    stream is never announced: pings may be written into it.
    """
    dropped, streams = _dropped_names(headers, converted=converted)
    sound = _VALUE.fullmatch("".join([value for _, value in headers]))
    out = []
    for field in headers:
        name, value = field
        if name in dropped or not _crosses_back(name, pooled):
            continue
        if not (sound or _VALUE.fullmatch(value)):
            continue
        if name in _WAITS:
            field = (name, _capped(name, value, headers))  # noqa: PLW2901 - the same, bounded
        out.append(field)
    if streams:
        out.extend(EVENT_STREAM_HEADERS)
    return out


def is_event_stream(content_type: str) -> bool:
    """Whether this is `text/event-stream`, with or without parameters."""
    return content_type.partition(";")[0].strip().lower() == _EVENT_STREAM


def _refuse_broken_lines(headers: Mapping[str, str]) -> None:
    joined = "".join(headers.values())
    if "\r" in joined or "\n" in joined or "\0" in joined:
        name = next(n for n, v in headers.items() if not {"\r", "\n", "\0"}.isdisjoint(v))
        raise InvalidRequest(f"header {name} contains CR, LF or NUL")


@lru_cache(maxsize=16)  # a client sends the same few sets again; a hundred names of 8 KB are one
def _crossing(names: tuple[str, ...], connection: str) -> tuple[str, ...]:
    """Those of the names that go on to an upstream."""
    dropped = _NOT_UPSTREAM | _listed_by_connection(connection)
    kept = [n for n in names if n not in dropped and not n.startswith(_NOT_UPSTREAM_PREFIXES)]
    return tuple(kept)


@lru_cache(maxsize=256)  # an upstream, too
def _crosses_back(name: str, pooled: bool) -> bool:  # noqa: FBT001  a keyword costs as much again
    """Whether a field of this name, if it stands on no list, goes on to the client."""
    prefixes = _NOT_DOWNSTREAM_PREFIXES + (_ABOUT_OUR_KEYS if pooled else ())
    return not name.startswith(prefixes) and _NAME.fullmatch(name) is not None


def _dropped_names(
    headers: Sequence[tuple[str, str]], *, converted: bool
) -> tuple[Collection[str], bool]:
    """The names that do not go on, and whether the body is an event stream."""
    dropped = _NOT_DOWNSTREAM
    streams = False
    for name, value in headers:
        if name == "connection":
            dropped = dropped | _listed_by_connection(value)
        elif name == "transfer-encoding":  # then a length says nothing: RFC 9112 §6.3
            dropped = dropped | {"content-length"}
        elif name == "content-type" and is_event_stream(value):
            streams = True
    if streams:
        dropped = dropped | _SAID_BY_US_ON_STREAMS
    if converted:
        dropped = dropped | {"content-length", "content-encoding"}
    return dropped, streams


def _listed_by_connection(value: str | None) -> frozenset[str]:
    if not value:
        return frozenset()
    return frozenset(name.strip().lower() for name in value.split(","))


def _capped(name: str, value: str, headers: Sequence[tuple[str, str]]) -> str:
    """A `retry-after` or `retry-after-ms` of at most an hour."""
    limit = _LONGEST_WAIT_S * 1000 if name == "retry-after-ms" else _LONGEST_WAIT_S
    try:
        return str(limit) if float(value) > limit else value
    except ValueError:
        ahead_s = _seconds_ahead(value, headers)
        return str(_LONGEST_WAIT_S) if ahead_s > _LONGEST_WAIT_S else value


def _seconds_ahead(date: str, headers: Sequence[tuple[str, str]]) -> float:
    """How far an HTTP date lies ahead by the upstream's own clock; 0 for what is no date.

    Without a `Date` of the upstream's nobody knows: then it counts as too far.
    """
    sent = next((value for name, value in headers if name == "date"), "")
    with suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(date).replace(tzinfo=UTC)  # HTTP dates are always GMT
        with suppress(ValueError, OverflowError):
            return (until - parsedate_to_datetime(sent).replace(tzinfo=UTC)).total_seconds()
        return float("inf")
    return 0.0
