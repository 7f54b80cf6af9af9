"""Addresses as text: where we listen, and which hosts may never be an upstream.

Nothing here opens a socket or resolves a name.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

_IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_PORT: Final = 65535
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
_ODD: Final = re.compile(r"[\s\x00-\x1f\x7f]")

# What clouds answer instance credentials under, beside the link-local ranges.
_METADATA_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_METADATA_IPS: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure's wire server
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google Cloud
        ),
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class NotAnAddress(ValueError):
    """The text is no address; the message is the rule it breaks, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the relay listens. An empty host is every interface, port 0 any free one."""

    host: str
    """Without brackets."""
    port: int


def parse_listen(text: str) -> Listen:
    """`host:port` taken apart.

    Raises: `NotAnAddress`.
    """
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?", text, re.DOTALL)
    if bracketed:
        host, port = bracketed["host"], bracketed["port"] or ""
        if ":" not in host or _ip(host) is None:
            raise NotAnAddress("the brackets must hold an IPv6 address")
        return Listen(host, _port(port))
    host, colon, port = text.rpartition(":")
    if not colon:
        raise NotAnAddress("must be host:port")
    if _ODD.search(host):
        raise NotAnAddress("the host holds white space or control characters")
    if ":" in host:
        raise NotAnAddress("must be host:port, an IPv6 address in brackets, as in [::1]:8787")
    if host and not _HOST.fullmatch(host):
        raise NotAnAddress("the host must be a name or an IP address")
    return Listen(host, _port(port))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`: 127.0.0.0/8, ::1, localhost."""
    ip = _ip(host)
    return ip.is_loopback if ip is not None else host.lower() == "localhost"


def parse_base_url(text: str) -> SplitResult:
    """An upstream's URL: http or https, a host that may be asked, no query, no fragment.

    Raises: `NotAnAddress`.
    """
    url = _parse_http_url(text)
    if "?" in text or "#" in text:
        raise NotAnAddress("must have no query and no fragment")
    host = url.hostname or ""
    if _is_metadata(host):
        raise NotAnAddress("link-local and cloud metadata addresses are refused")
    return url


def proxy_fault(text: str) -> str | None:
    """What is wrong with a `proxy` value, or None: empty, `env`, or an http(s) URL."""
    if text in {"", "env"}:
        return None
    try:
        _parse_http_url(text)
    except NotAnAddress as fault:
        return f"{fault}, or env, or empty"
    return None


def base_url_fault(text: str) -> str | None:
    """What is wrong with a `base_url`, or None. Empty is the type's default."""
    try:
        if text:
            parse_base_url(text)
    except NotAnAddress as fault:
        return str(fault)
    return None


def listen_fault(text: str) -> str | None:
    """What is wrong with a `server.listen`, or None."""
    try:
        parse_listen(text)
    except NotAnAddress as fault:
        return str(fault)
    return None


def without_credentials(text: str) -> str:
    """A URL without its `user:password@`."""
    return re.sub(r"//[^/?#]*@", "//", text, count=1)


def _parse_http_url(text: str) -> SplitResult:
    if _ODD.search(text):
        raise NotAnAddress("must hold no white space or control characters")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise NotAnAddress("is not a URL: its host or port cannot be read") from error
    if url.scheme not in {"http", "https"} or not url.netloc:
        raise NotAnAddress("must be an http:// or https:// URL")
    if port == 0 or not _is_host(url.hostname or ""):
        raise NotAnAddress("is not a URL: its host or port cannot be read")
    return url


def _is_host(host: str) -> bool:
    return bool(_HOST.fullmatch(host)) or (":" in host and _ip(host) is not None)


def _is_metadata(host: str) -> bool:
    ip = _ip(host)
    if ip is None:
        return host.lower().rstrip(".") in _METADATA_NAMES
    return ip.is_link_local or ip in _METADATA_IPS


def _ip(host: str) -> _IP | None:
    """The address a host is, also in the spellings a resolver accepts: `2852039166`, `0xa9fea9fe`.

    An IPv4 address inside an IPv6 one (mapped, NAT64) counts as itself.
    """
    plain = host.partition("%")[0] if ":" in host else host.rstrip(".")  # fe80::1%eth0
    try:
        ip = ipaddress.ip_address(plain)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(plain))
        except (OSError, UnicodeError):
            return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _port(text: str) -> int:
    if not text:
        raise NotAnAddress("the port is missing")
    if not (text.isascii() and text.isdigit() and len(text) <= 5):  # noqa: PLR2004 - 65535
        raise NotAnAddress("the port must be a number up to 65535")
    port = int(text)
    if port > MAX_PORT:
        raise NotAnAddress("the port must be a number up to 65535")
    return port
