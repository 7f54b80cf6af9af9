"""One connection of the load: it sends the same request over and over and reads the answers."""

import errno
import socket
import time
from typing import Final

from bench.load.answer import Answer

_UNDER_WAY: Final = {0, errno.EINPROGRESS}


class Connection:
    """A socket that never blocks, what has still to be sent, and the answer being read."""

    __slots__ = ("answer", "asked_ns", "is_used", "pending", "socket")

    def __init__(self, dialled: socket.socket, address: tuple[str, int]) -> None:
        """Begin to connect. Raises OSError if that fails at once."""
        self.socket = dialled
        self.answer = Answer()
        self.asked_ns = 0
        self.pending = b""
        self.is_used = False
        """An answer has come over it: if it is closed without a byte now, that is its age."""
        failed = dialled.connect_ex(address)
        if failed not in _UNDER_WAY:
            raise OSError(failed, errno.errorcode.get(failed, ""))

    def ask(self, sent: bytes) -> bool:
        """Send the request; false if the rest of it has to wait for the socket."""
        self.answer = Answer()
        self.asked_ns = time.monotonic_ns()
        self.pending = sent
        return self.flush()

    def flush(self) -> bool:
        """Send what is pending; whether nothing is left."""
        try:
            sent = self.socket.send(self.pending)
        except BlockingIOError:
            return False
        self.pending = self.pending[sent:]
        return not self.pending
