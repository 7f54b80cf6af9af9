"""The head of a request: its line and header fields as bytes.

`Host` comes first and `Content-Length` last, both made here; between them exactly the fields that
were given, in their order. Framing and connection fields of the caller are left out, since two
answers to "how long is the body" are how requests get smuggled.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # a token, RFC 9110 5.6.2
_METHOD: Final = re.compile(_WORD)
_NAMES: Final = re.compile(rf"(?:{_WORD}\n)*")
_MADE_HERE: Final = frozenset(("host", "content-length", "transfer-encoding", "connection"))
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))


def request_head(
    method: str, target: str, authority: str, headers: Mapping[str, str], body_bytes: int
) -> bytes:
    """Everything before the body.

    Raises: `ValueError` for a method or name that is no token, and for a value with CR, LF or NUL
    or outside Latin-1. The message names the field and never its value.
    """
    if not _METHOD.fullmatch(method):
        raise ValueError("the request method is not a token")
    form, lines = _form(tuple(headers))
    fields = form % tuple(headers.values())
    if fields.count("\r") != lines or fields.count("\n") != lines or "\0" in fields:
        raise ValueError(_fault(headers))
    length = f"Content-Length: {body_bytes}\r\n" if body_bytes or method in _WITH_BODY else ""
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{fields}{length}\r\n".encode(
        "latin-1"
    )


@lru_cache(maxsize=16)  # a client sends the same few sets again; a hundred names of 8 KB are one
def _form(names: tuple[str, ...]) -> tuple[str, int]:
    """What to format the values of these fields with, and how many lines come of it."""
    if not _NAMES.fullmatch("\n".join((*names, ""))):
        raise ValueError(_fault(dict.fromkeys(names, "")))
    made_here = [name.lower() in _MADE_HERE for name in names]
    parts = [
        "%.0s" if left_out else name.replace("%", "%%") + ": %s\r\n"
        for name, left_out in zip(names, made_here, strict=True)
    ]
    return "".join(parts), made_here.count(False)


def _fault(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not _METHOD.fullmatch(name):
            return f"the request header name {name!r} is not a token"
        if name.lower() not in _MADE_HERE and any(char in value for char in "\r\n\0"):
            return f"the value of the request header {name} holds CR, LF or NUL"
    return "a request header is malformed"
