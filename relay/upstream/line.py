"""A connection while one exchange has it: the request goes out, the response comes in parsed.

A line ends once: its connection goes back to the pool if the exchange left it clean, and is closed
after anything else.
"""

from relay.clock import Clock
from relay.errors import UpstreamBroken, UpstreamError, UpstreamLost
from relay.upstream.connection import Connection
from relay.upstream.parser import ResponseParser
from relay.upstream.pool import Pool
from relay.upstream.reason import reason


class NothingSent(Exception):
    """The connection was gone before any byte of the request was written."""


class Line:
    """The connection for as long as one exchange has it, with the parser of its response."""

    __slots__ = ("_clean", "_connection", "_pool", "_wrote", "clock", "origin", "parser")

    def __init__(self, connection: Connection, *, bodyless: bool, pool: Pool, clock: Clock) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._wrote = False
        self._clean = True
        self.origin = connection.origin
        self.parser = ResponseParser(bodyless=bodyless)
        self.clock = clock

    def fileno(self) -> int:
        """The descriptor, -1 once the line has ended."""
        connection = self._connection
        return -1 if connection is None else connection.fileno()

    def raw_fileno(self) -> int:
        """The descriptor that carries the response unencrypted; -1 under TLS and after the end."""
        connection = self._connection
        return -1 if connection is None else connection.raw_fileno

    def write(self, data: bytes | memoryview, stall_s: float) -> bool:
        """Whether everything went out; False when the upstream answers or is gone before that."""
        connection = self._taken()
        rest = memoryview(data)
        while rest:
            try:
                sent = connection.send(rest[: connection.max_write_bytes])
            except OSError as error:
                if not self._wrote:
                    raise NothingSent from error
                self._clean = False  # it may have answered before it closed: `head` finds out
                return False
            self._wrote = True
            rest = rest[sent:]
            if not sent and not self._await_room(connection, stall_s):
                self._clean = False
                return False
        return True

    def pull(self, timeout_s: float) -> bool:
        """Wait for more, parse it; False when nothing came in time. Ends the line when it raises.

        With 0 it looks and never switches greenlets. Raises: `UpstreamLost` when the connection
        ends before the response headers are complete, `UpstreamBroken` when it ends too early after
        them, or is malformed.
        """
        try:
            connection = self._taken()
            if timeout_s > 0:
                connection.wait(timeout_s)
            data = connection.receive()
        except OSError as error:
            raise self.lost(error) from error
        if data is not None:
            self.parse(data)
        return data is not None

    def look(self) -> bytes | None:
        """What has arrived, for `parse`: b"" at the end, None for nothing. Never switches
        greenlets; ends the line when it raises, as `pull` does.
        """
        try:
            return self._taken().receive()
        except OSError as error:
            raise self.lost(error) from error

    def parse(self, data: bytes) -> None:
        """Take what `look` has read. Ends the line when it raises, as `pull` does."""
        try:
            self._feed(data)
        except UpstreamError:
            self.end()
            raise
        if self.parser.is_broken:
            self.end()

    def end(self) -> None:
        """Give the connection back if the response is complete, else close it. Idempotent."""
        connection = self._connection
        if connection is None:
            return
        self._connection = None
        self.parser.drop()
        if self.parser.has_head:
            connection.keep_session()
        if self._clean and self.parser.is_reusable:
            self._pool.give_back(connection)
        else:
            connection.close()

    def lost(self, error: OSError) -> UpstreamError:
        """End the line, whose connection failed with `error`; what to raise for it."""
        self.end()
        if self.parser.has_head:
            return UpstreamBroken(f"{self.origin}: {reason(error)} in the response body")
        return UpstreamLost(f"{self.origin}: {reason(error)} before it answered")

    def _feed(self, data: bytes) -> None:
        if data:
            self.parser.feed(data)
        elif self.parser.has_head:
            self.parser.feed_eof()
        else:
            raise UpstreamLost(f"{self.origin} closed the connection before it answered")

    def _await_room(self, connection: Connection, stall_s: float) -> bool:
        try:
            connection.wait_for_room(stall_s)
            data = connection.receive()
        except TimeoutError as error:
            message = f"{self.origin} took nothing of the request for {stall_s:g} s"
            raise UpstreamLost(message) from error
        except OSError:
            return False
        if data:
            self.parser.feed(data)
        return data is None or (data != b"" and not self.parser.has_head)

    def _taken(self) -> Connection:
        if self._connection is None:
            raise ConnectionAbortedError("closed")
        return self._connection
