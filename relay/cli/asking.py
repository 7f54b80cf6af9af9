"""Ask a server over HTTP, with one deadline for everything together.

A limit for each read would not do: a peer that sends a byte now and then would never reach it.
So every read gets what is left of the whole, and so does the resolver, which has no limit at all.
"""

import contextlib
import http.client
import io
import queue
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from relay.cli.configured import written
from relay.clock import SystemClock
from relay.config.addresses import Listen

# The answers we ask for are a few hundred bytes; a model list of thousands still fits.
MAX_BODY_BYTES: Final = 1 << 20
_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """Nobody answered: refused, silent, gone, or too slow. The message says which."""


class NotHttp(Exception):
    """Something answered that does not speak HTTP."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which everything must be done."""

    within_s: float
    at: float

    @classmethod
    def within(cls, seconds: float) -> Self:
        """That many seconds from now."""
        return cls(seconds, _CLOCK.monotonic() + seconds)

    def left_s(self) -> float:
        """Seconds that remain, always more than none. Raises: `TimeoutError` when none do."""
        left = self.at - _CLOCK.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def get(peer: Listen, path: str, deadline: Deadline) -> Answer:
    """`GET path`. Raises: `NoAnswer`, `NotHttp`."""
    try:
        with contextlib.closing(_connected(peer, deadline)) as sock:
            request = f"GET {path} HTTP/1.1\r\nHost: {written(peer)}\r\nConnection: close\r\n\r\n"
            sock.settimeout(deadline.left_s())
            sock.sendall(request.encode("latin-1"))
            return _answer(sock, deadline)
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {deadline.within_s:g} s") from error
    except http.client.RemoteDisconnected as error:
        raise NoAnswer("the connection was closed without an answer") from error
    except http.client.HTTPException as error:
        raise NotHttp(f"{type(error).__name__}: {str(error)[:80]!r}") from error
    except OSError as error:
        raise NoAnswer((error.strerror or str(error)).lower()) from error


def _answer(sock: socket.socket, deadline: Deadline) -> Answer:
    response = http.client.HTTPResponse(_Hurried(sock, deadline))  # type: ignore[arg-type]  # only `makefile` of a socket is used
    try:
        response.begin()
        body = response.read(MAX_BODY_BYTES)
    finally:
        response.close()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, body)


def _connected(peer: Listen, deadline: Deadline) -> socket.socket:
    refusal: OSError = OSError(None, "the name has no address")
    for family, kind, protocol, _, address in _resolved(peer, deadline):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.left_s())
            sock.connect(address)
        except OSError as error:
            sock.close()
            refusal = error
        else:
            return sock
    raise refusal


_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def _resolved(peer: Listen, deadline: Deadline) -> Sequence[_Address]:
    """The addresses of a name. A thread, because `getaddrinfo` cannot be given a limit."""
    results: queue.SimpleQueue[Sequence[_Address] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            results.put(socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM))
        except OSError as error:
            results.put(error)
        except UnicodeError as error:  # a label of the name is empty or too long
            results.put(OSError(None, str(error)))

    threading.Thread(target=resolve, daemon=True).start()
    try:
        found = results.get(timeout=deadline.left_s())
    except queue.Empty as error:
        raise TimeoutError from error
    if isinstance(found, OSError):
        raise found
    return found


class _Hurried(io.RawIOBase):
    """A socket as a file, every read of which gets what is left of the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `http.client` asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # Any: Python 3.11 has no name for a buffer
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(buffer)
