"""Read credentials out of request headers, and tell the relay's own from the client's.

A credential may stand in `Authorization`, in `x-api-key`, or in both. Header values come as WSGI
gives them: the bytes decoded as Latin-1, repeated headers joined with a comma. Everything here
works on the text the sender meant, which is UTF-8; what is passed on stays exactly as it came.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

AUTHORIZATION: Final = "authorization"
API_KEY: Final = "x-api-key"

PLACEHOLDER: Final = "managed-by-cc-relay"
"""What `config cc init` writes into Claude Code's settings: a mark, not a credential."""

_PLACEHOLDERS: Final = (f"Bearer {PLACEHOLDER}", PLACEHOLDER)

# A server trims header values, so `Bearer` followed by nothing is an empty token.
_BEARER: Final = re.compile(r"bearer(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
_BLANK: Final = " \t"

# Every word of a credential header is compared with our secrets. The wordiest schemes (Digest) have
# about twenty; a header with more is none we need to pass on, and would only cost time.
_BORDERS: Final = re.compile(r"[\s,]+")
_MAX_BORDERS: Final = 64


def presented(headers: Mapping[str, str]) -> Iterator[str]:
    """The texts that may prove who calls: the API key and the bearer token, never empty.

    Only the first value of a repeated header counts. The undivided value comes too, because a
    configured secret may contain a comma.
    """
    for value in _whole_and_first(headers.get(API_KEY, "")):
        if value:
            yield value
    for value in _whole_and_first(headers.get(AUTHORIZATION, "")):
        token = _token(value)
        if token:
            yield token


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The first bearer token, perhaps empty; None where the scheme is another or missing."""
    return _token(_values(headers.get(AUTHORIZATION, ""))[0])


def own(headers: Mapping[str, str], is_ours: Callable[[str], bool]) -> dict[str, str]:
    """The credential headers that are the client's own, each value exactly as received.

    A header whose first value `is_ours` is consumed whole. If a later value is ours, the values
    before and after it go on without it.
    """
    found = {}
    for name in (AUTHORIZATION, API_KEY):
        value = headers.get(name, "")
        kept = _without_ours(value, is_ours) if value else ""
        if kept:
            found[name] = kept
    return found


def _without_ours(value: str, is_ours: Callable[[str], bool]) -> str:
    if value in _PLACEHOLDERS:
        return ""
    words = value.split()
    if len(words) == 1 and value.isascii() and "," not in value:  # a key, as nearly always
        return "" if is_ours(words[0]) or _token(words[0]) == "" else value
    whole = _text(value)
    if not whole or _token(whole) == "" or len(_BORDERS.findall(whole)) > _MAX_BORDERS:
        return ""
    if is_ours(whole) or is_ours(_behind_scheme(whole)):  # it may contain commas itself
        return ""
    parts = value.split(",")
    kept = [part for part in parts if not _holds_ours(_text(part), is_ours)]
    if kept == parts:
        return value
    return ",".join(kept) if kept and kept[0] is parts[0] else ""


def _holds_ours(text: str, is_ours: Callable[[str], bool]) -> bool:
    """Whether a secret of ours stands in one value: bare, behind a scheme, or among words."""
    return any(is_ours(form) for form in {text, _behind_scheme(text), *text.split()} if form)


def _behind_scheme(text: str) -> str:
    return text.partition(" ")[2].strip(_BLANK)


def _whole_and_first(value: str) -> set[str]:
    return {_text(value), _values(value)[0]}


def _values(value: str) -> list[str]:
    return [_text(part) for part in value.split(",", 1)]


def _token(text: str) -> str | None:
    match = _BEARER.fullmatch(text)
    return match and (match[1] or "").strip(_BLANK)


def _text(value: str) -> str:
    """The value as its sender meant it: UTF-8 where WSGI read Latin-1, without outer blanks."""
    if not value.isascii():
        with suppress(UnicodeEncodeError):  # not from a socket: text already
            value = value.encode("latin-1").decode("utf-8", "surrogateescape")
    return value.strip(_BLANK)
