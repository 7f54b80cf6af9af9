"""Take the request off the wire: headers as a mapping, the body whole, bounded in size and time.

A body that does not arrive completely is never forwarded (behaviour 4.6).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

import gevent
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData, ParseException

from relay.clock import Clock
from relay.config.model import ServerConfig
from relay.errors import BodyTooLarge, BodyTooSlow, ClientLeft, InvalidRequest
from relay.web.connections import AWAITS_CONTINUE, CONTINUE

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

# What buys a slow client one second more.
_PER_SECOND: Final = 16 * 1024
# Read between two looks at the clock, so that a body of 1 MB costs sixteen timers.
_SEPARATOR: Final = re.compile(r"[/\\]")
_STEP: Final = 64 * 1024


def headers_of(environ: "WSGIEnvironment") -> dict[str, str]:
    """The request headers, names in lower case, repeated ones joined with `,` by the server."""
    headers = {
        _header_name(name): value for name, value in environ.items() if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


@lru_cache(maxsize=512)
def _header_name(variable: str) -> str:
    return variable[5:].replace("_", "-").lower()


def path_of(environ: "WSGIEnvironment") -> str:
    """The path as it came, percent-encoding included, without doubled or trailing slashes.

    Raises: `InvalidRequest` for a path with `.` or `..` segments, which mean something else to
    those behind us than to us.
    """
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    if not raw.startswith("/"):  # absolute-form
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    raw = raw.removeprefix(environ.get("SCRIPT_NAME", ""))  # where a pipeline mounts us
    path = raw.partition("?")[0]
    segments = [part for part in path.split("/") if part]
    if not {".", ".."}.isdisjoint(_SEPARATOR.split(unquote(path))):
        raise InvalidRequest("a path with . or .. segments is not relayed")
    return "/" + "/".join(segments)


def body_of(
    environ: "WSGIEnvironment", headers: Mapping[str, str], limits: ServerConfig, clock: Clock
) -> bytes:
    """The complete body.

    Raises: `BodyTooLarge` at once when `Content-Length` says so and at the first byte too many
    otherwise, `BodyTooSlow`, `InvalidRequest` for malformed framing or a body that ends early.
    """
    announced = _announced(headers)
    limit = limits.max_body_bytes
    if limit and announced is not None and announced > limit:
        raise BodyTooLarge(limit)
    stream = environ["wsgi.input"]
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b""  # neither length nor chunks: there is no body
    if getattr(stream, AWAITS_CONTINUE, False):
        try:
            environ["gunicorn.socket"].sendall(CONTINUE)
        except OSError as error:
            raise ClientLeft from error
    body = _read(stream, announced, limit, limits.body_timeout_ms / 1000, clock)
    if announced is not None and len(body) < announced:
        raise InvalidRequest(f"the body ended after {len(body)} of {announced} bytes")
    return body


def _read(stream: Any, announced: int | None, limit: int, timeout_s: float, clock: Clock) -> bytes:
    try:
        if announced is not None and _is_at_hand(stream, announced):
            return cast("bytes", stream.read(announced))
        return _wait_for(stream, announced, limit, timeout_s, clock)
    except NoMoreData as error:
        raise ClientLeft from error
    except ParseException as error:
        raise InvalidRequest(f"malformed request body: {type(error).__name__}") from error


def _is_at_hand(stream: Any, announced: int) -> bool:
    """Whether gunicorn has read all of the body with the head, as it mostly has of a small one."""
    reader: Any = getattr(stream, "reader", None)
    if type(reader) is not LengthReader:
        return False
    return bool(reader.unreader.buf.getbuffer().nbytes >= announced)


def _wait_for(
    stream: Any, announced: int | None, limit: int, timeout_s: float, clock: Clock
) -> bytes:
    began = clock.monotonic()
    chunks: list[bytes] = []
    size = 0
    while announced is None or size < announced:
        want = _step(announced, limit, size)
        left_s = timeout_s + (size + want) / _PER_SECOND - (clock.monotonic() - began)
        with gevent.Timeout(max(left_s, 0.001), BodyTooSlow("the body arrived too slowly")):
            chunk = stream.read(want)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if limit and size > limit:
            raise BodyTooLarge(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _step(announced: int | None, limit: int, size: int) -> int:
    """What to read next. The server waits until it has so much, and never for less than 1 KiB, so
    chunks are asked for in small portions: too many are noticed a kilobyte later at most.
    """
    if announced is not None:
        return min(announced - size, _STEP)
    return min(_PER_SECOND, limit + 1 - size) if limit else _PER_SECOND


def _announced(headers: Mapping[str, str]) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else None
