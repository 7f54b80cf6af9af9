r"""Replace the values of JSON fields whose names tell of a secret, in any text.

Works on the text, not on a parsed document, so that broken and truncated JSON is covered, and
every other character stays. JSON inside a JSON string is covered, too: there a quote is `\"`, one
level further down `\\\"`. A value without an end is replaced up to the end of the text.
"""

import re
from typing import Final

REDACTED: Final = "[redacted]"

# Compared without case, `-` and `_` (behaviour 12.2).
_TELLING: Final = frozenset(
    {
        "apikey",
        "xapikey",
        "key",
        "authorization",
        "proxyauthorization",
        "bearer",
        "token",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "authtoken",
        "secret",
        "clientsecret",
        "awssecretaccesskey",
        "password",
        "passwd",
        "privatekey",
        "cookie",
        "setcookie",
        "userid",
        "deviceid",
    }
)

# A quoted name, its colon and the blanks around it, which may themselves be escaped. The longest
# telling name has 23 characters, or six times as many if each is written as `\u0061`.
_NAME: Final = re.compile(r'(?<!\\)(\\*)"([\w\\-]{1,200}?)\1"(?:\s|\\+[nrt])*:(?:\s|\\+[nrt])*')
_ESCAPED: Final = re.compile(r"\\+u([0-9A-Fa-f]{4})")
_QUOTE: Final = re.compile(r'(?<!\\)(\\*)"')
_QUOTE_OR_BRACKET: Final = re.compile(r'(?<!\\)(\\*)"|[\[\]{}]')
_SCALAR: Final = re.compile(r'[^\s,}\]\\"]*')


def redacted(text: str) -> str:
    """`text` with each telling field's value as `"[redacted]"`; linear in its length."""
    out: list[str] = []
    done = 0
    for name in _NAME.finditer(text):
        if name.start() < done or not _is_telling(name[2]):
            continue
        end = _value_end(text, name.end())
        if end > name.end():
            quote = f'{name[1]}"'
            out += (text[done : name.end()], quote, REDACTED, quote)
            done = end
    return "".join(out) + text[done:]


def _is_telling(name: str) -> bool:
    if "\\" in name:
        name = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), name)
    return name.replace("-", "").replace("_", "").lower() in _TELLING


def _value_end(text: str, start: int) -> int:
    opened = _QUOTE.match(text, start)
    if opened:
        return _string_end(text, opened)
    if text[start : start + 1] in ("{", "["):
        return _container_end(text, start)
    scalar = _SCALAR.match(text, start)
    return scalar.end() if scalar else start


def _string_end(text: str, opened: re.Match[str]) -> int:
    for quote in _QUOTE.finditer(text, opened.end()):
        if _closes(len(quote[1]), len(opened[1])):
            return quote.end()
    return len(text)


def _container_end(text: str, start: int) -> int:
    depth = 0
    opened: re.Match[str] | None = None
    for token in _QUOTE_OR_BRACKET.finditer(text, start):
        if token[1] is not None:
            if opened is None:
                opened = token
            elif _closes(len(token[1]), len(opened[1])):
                opened = None
        elif opened is None:
            depth += 1 if token[0] in "[{" else -1
            if depth == 0:
                return token.end()
    return len(text)


def _closes(backslashes: int, opening: int) -> bool:
    """Whether a quote after so many backslashes ends a string opened after `opening` of them.

    Unpacks one level of strings after the other. A quote that ends an outer string ends all.
    """
    while opening and backslashes % 2:
        backslashes, opening = backslashes // 2, opening // 2
    return backslashes % 2 == 0
