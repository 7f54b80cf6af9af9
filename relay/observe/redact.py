"""Take secrets out of text before anybody reads it (behaviour 12.2 and 12.3).

    text ─► configured secrets ─► values of telling JSON fields ─► patterns ─► cut

Three nets, because each has holes: secrets we know are found anywhere and in every spelling they
commonly take; fields are found by name in JSON, also in JSON that is broken, cut short or packed
into a string; patterns find what looks like a credential. Cutting comes last, so no half of a
secret escapes at the border.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from relay.observe import fields
from relay.secret import Secret

REDACTED: Final = fields.REDACTED

# A shorter secret is replaced only where it stands alone: `s` must not take every s out of a log.
_LONG: Final = 8

_PATTERNS: Final = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
            REDACTED,
        ),
        (r"\b(bearer)(?:\s|\\+[nrt])+[^\s\"'\\,;<>]+", re.IGNORECASE, rf"\1 {REDACTED}"),
        (r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]+", 0, REDACTED),
        (r"(?<![A-Za-z0-9])ccr_[A-Za-z0-9_-]+", 0, REDACTED),
        (r"(?<![A-Za-z0-9])A(?:KI|SI)A[A-Z0-9]{12,}", 0, REDACTED),
        (r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*", 0, REDACTED),
        (r"(?<=://)[^\s/?#\"'\\<>]*@", 0, f"{REDACTED}@"),
    )
)
# What a text contains if a pattern can match: a quick look for lines that mostly hold nothing.
_MARKS: Final = r"b(?i:earer)|B(?i:earer)|sk-|ccr_|AKIA|ASIA|eyJ|PRIVATE KEY|://"

# More than there are clients, models and credentials busy at one time.
_REMEMBERED: Final = 256

# A body is redacted whole, or as far as the cut and this much more: longer than any credential,
# so none that begins before the cut can end unseen behind the window.
_MARGIN_BYTES: Final = 1 << 16


class Redactor:
    """Knows the secrets of one configuration. Immutable."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret.reveal())}
        self._spellings = tuple(sorted(spellings, key=len, reverse=True))
        self._known = re.compile("|".join(map(_literal, self._spellings)) or r"(?!)")
        self._suspect = re.compile("|".join((*map(re.escape, self._spellings), _MARKS)))
        self._remembered = lru_cache(_REMEMBERED)(self._suspect.search)

    def is_concerned(self, text: str) -> bool:
        """Whether `text` may hold something to redact. Cheap; False is certain."""
        return self._suspect.search(text) is not None

    def is_concerned_again(self, text: str) -> bool:
        """The same for a text that comes again and again, which is looked at but once."""
        return self._remembered(text) is not None

    def text(self, text: str) -> str:
        """`text` without configured secrets and without what looks like a credential."""
        text = self._known.sub(REDACTED, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: object) -> object:
        """A log field, redacted in all its strings; what is no JSON value becomes text."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case Mapping():
                return {str(key): self.value(item) for key, item in value.items()}
            case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
                return [self.value(item) for item in value]
            case _:
                return self.text(str(value))

    def body(self, body: bytes, max_bytes: int) -> str:
        """A request or response body for the log: redacted, then cut to `max_bytes` of UTF-8.

        The cut falls between two characters.
        """
        window = max_bytes + 2 * _MARGIN_BYTES
        shown = self._body(body[:window])
        if len(body) > window and len(shown) < max_bytes + _MARGIN_BYTES:
            shown = self._body(body)  # so much was redacted that the window's end is near the cut
        return shown[:max_bytes].decode("utf-8", "ignore")

    def _body(self, body: bytes) -> bytes:
        text = self._known.sub(REDACTED, body.decode("utf-8", "replace"))
        return self.text(fields.redacted(text)).encode()

    def __repr__(self) -> str:
        return f"Redactor({len(self._spellings)} spellings)"


def _literal(spelling: str) -> str:
    literal = re.escape(spelling)
    return literal if len(spelling) >= _LONG else rf"(?<![A-Za-z0-9]){literal}(?![A-Za-z0-9])"


def _spellings(secret: str) -> Iterator[str]:
    """How a secret may be written in a log: as it is, in JSON, in a URL, as WSGI reads it."""
    if not secret:
        return
    for text in {secret, *_url_credentials(secret)}:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield quote(text, safe="")
        with suppress(UnicodeEncodeError):
            yield text.encode().decode("latin-1")


def _url_credentials(url: str) -> Iterator[str]:
    """The password of a URL, and the pair as Basic authentication sends it."""
    if "://" not in url:
        return
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.password:
            password = unquote(parts.password)
            yield parts.password
            yield password
            yield b64encode(f"{unquote(parts.username or '')}:{password}".encode()).decode()
