"""Redis connection: one command at a time, with one time limit for all of it.

redis-py opens it: the URL, TLS, the password, the database. Commands do not go through redis-py,
because its limit counts anew for every read, and because it takes twice the time for each.
"""

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from redis.backoff import NoBackoff
from redis.connection import Connection as Opened
from redis.connection import parse_url
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import TimeoutError as OpeningTimedOut
from redis.retry import Retry

from relay.clock import Clock
from relay.secret import Secret
from relay.state.resp import Refusal, Reply, Unfinished, command, read

LIMIT_S: Final = 0.1
"""What a step may take, connecting included (behaviour 9.8)."""

_CHUNK: Final = 65536
_WOULD_WAIT: Final = (TimeoutError, BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
SILENT: Final = "Redis did not answer in time"
"""What `StoreAway` says then."""


class Broken(Exception):
    """The connection is of no use any more, and why: never a host, never a password."""


class Address:
    """Where Redis is and how to be let in. Nothing is opened before `open`."""

    def __init__(self, url: Secret) -> None:
        try:
            settings: dict[str, Any] = dict(parse_url(url.reveal()))  # type: ignore[no-untyped-call]  # redis-py: partly typed
            self._type: type[Opened] = settings.pop("connection_class", Opened)
            # Ours last: a query in the URL may set what TLS needs, but no other time limit.
            self._settings: Mapping[str, Any] = settings | {
                "protocol": 2,
                "driver_info": None,
                "retry": Retry(NoBackoff(), 0),
                "retry_on_timeout": False,
                "socket_timeout": LIMIT_S,
                "socket_connect_timeout": LIMIT_S,
            }
            self._type(**self._settings)
        except (ValueError, TypeError, OSError, RedisError):
            # Their words may quote a part of the URL.
            raise ValueError(
                "state.url is not a Redis URL: redis://user:password@host:port/0"
            ) from None

    def open(self, clock: Clock) -> "Connection":
        """A connection that has answered once. Raises: `Broken`."""
        opened = self._type(**self._settings)
        try:
            _connect(opened)
        except BaseException:  # the library leaves some sockets for the collector
            opened.disconnect()  # type: ignore[no-untyped-call]  # as above
            raise
        connection = Connection(opened, clock)
        # A frozen server takes connections, too: the kernel does it.
        answer = connection.ask(command(b"PING"), clock.monotonic() + LIMIT_S)
        if isinstance(answer, Refusal):
            connection.close()
            raise Broken(f"Redis answered {answer.code}")
        return connection


def _connect(opened: Opened) -> None:
    try:
        opened.connect()  # type: ignore[no-untyped-call]  # as above
    except AuthenticationError:
        raise Broken("Redis refused the user or the password") from None
    except OpeningTimedOut:
        raise Broken(SILENT) from None
    except (RedisError, OSError, ValueError) as error:
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        raise Broken(f"Redis cannot be reached: {_name(cause)}") from None


class Connection:
    """An open connection. Used by one thread or greenlet at a time."""

    def __init__(self, opened: Opened, clock: Clock) -> None:
        self._opened = opened  # owns the socket
        sock = opened._get_socket()  # noqa: SLF001 - there is no other way to it
        if sock is None:
            raise Broken("Redis closed the connection")
        self._socket: socket.socket = sock
        self._clock = clock
        self.used_at = clock.monotonic()

    def ask(self, sent: bytes, until: float) -> Reply:
        """Send a command and read its reply. Raises: `Broken`; then it is closed."""
        try:
            self._socket.settimeout(max(until - self._clock.monotonic(), 0.001))
            self._socket.sendall(sent)
            reply = self._reply(until)
        except _WOULD_WAIT:
            self.close()
            raise Broken(SILENT) from None
        except (OSError, ValueError) as error:
            self.close()
            raise Broken(f"Redis broke the connection: {_name(error)}") from None
        except BaseException:  # a greenlet is killed: the reply would be the next one's
            self.close()
            raise
        self.used_at = self._clock.monotonic()
        return reply

    def is_ended(self) -> bool:
        """Whether Redis has ended it since the last reply."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except _WOULD_WAIT:
            return False
        except OSError:
            return True
        return True  # the end, or bytes nobody asked for

    def close(self) -> None:
        """Close it. Idempotent."""
        self._opened.disconnect()  # type: ignore[no-untyped-call]  # as above

    def _reply(self, until: float) -> Reply:
        received = b""
        while True:
            received += self._receive(until)
            try:
                return read(received)[0]
            except Unfinished:
                continue

    def _receive(self, until: float) -> bytes:
        left_s = until - self._clock.monotonic()
        try:
            self._socket.settimeout(max(left_s, 0))
            chunk = self._socket.recv(_CHUNK)
        except _WOULD_WAIT:
            # This process may have been busy itself: what has come in the meantime counts.
            self._socket.settimeout(0)
            chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "the end")
        return chunk


def _name(error: BaseException) -> str:
    """What kind of error it is; its text may name the host."""
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)
