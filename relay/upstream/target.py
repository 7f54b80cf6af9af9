"""A URL as the parts that are needed to send a request there.

What would break the request line is refused here, before anything is split: `urlsplit` itself
drops line ends silently. User, password and fragment never reach the wire.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}
# Visible ASCII, nothing else: a blank ends the target, a line end the request line (RFC 9112 3).
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection is made to; connections of one origin are interchangeable."""

    scheme: str
    host: str
    port: int

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes. The paths may hold a query and are kept out of `repr`."""

    origin: Origin
    authority: str
    """The value of `Host`: the port only where it is not the scheme's own."""
    path: str = field(repr=False)
    """Origin form: path and query."""

    @property
    def absolute(self) -> str:
        """Absolute form, as a proxy wants it for plain http (RFC 9112 3.2.2)."""
        return f"{self.origin.scheme}://{self.authority}{self.path}"


@lru_cache(maxsize=512)
def target_of(url: str) -> Target:
    """Read a URL.

    Raises: `ValueError` when it is not an http or https URL of visible ASCII; the message leaves
    the URL out, because it may hold secrets.
    """
    if not _VISIBLE.fullmatch(url):
        raise ValueError("the upstream's URL is empty or holds blanks, line ends or non-ASCII")
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in _PORTS or not host:
        raise ValueError("the upstream's URL must begin with http:// or https:// and name a host")
    usual = _PORTS[parts.scheme]
    origin = Origin(parts.scheme, host, parts.port or usual)
    name = f"[{host}]" if ":" in host else host
    authority = name if origin.port == usual else f"{name}:{origin.port}"
    path = parts.path or "/"
    return Target(origin, authority, f"{path}?{parts.query}" if parts.query else path)
