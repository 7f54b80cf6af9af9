"""A gateway that requests go to: the relay, another one beside it, or the upstream itself."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from bench.cpu import tree

_WRITTEN: Final = re.compile(r"(?P<name>[^=]+)=(?P<url>http://[^#]+)(?:#(?P<pid>\d+))?")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where it listens, and the process whose whole tree is charged; None = nobody is."""

    name: str
    host: str
    port: int
    path: str = ""
    """What stands before `/v1/messages`."""
    pid: int | None = None

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read `NAME=URL` or `NAME=URL#PID`.

        Raises:
            ValueError: it is neither, or no such process runs.
        """
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise ValueError(
                f"{written}: must be NAME=http://HOST:PORT or NAME=http://HOST:PORT#PID"
            )
        url = urlsplit(match["url"])
        pid = int(match["pid"]) if match["pid"] else None
        if pid is not None and not Path(f"/proc/{pid}").exists():
            raise ValueError(f"{written}: no process {pid} runs here")
        if not url.hostname:
            raise ValueError(f"{written}: the URL names no host")
        return cls(match["name"], url.hostname, url.port or 80, url.path.rstrip("/"), pid)

    def pids(self) -> Sequence[int]:
        """The processes that are charged."""
        return [] if self.pid is None else list(tree(self.pid))

    def request(self, body: bytes) -> bytes:
        """The bytes of a POST of a message, as they are sent over and over."""
        head = (
            f"POST {self.path}/v1/messages HTTP/1.1\r\n"
            f"host: {self.host}:{self.port}\r\n"
            "user-agent: claude-cli/2.1.331 (external, bench)\r\n"
            "accept: application/json\r\n"
            "content-type: application/json\r\n"
            "anthropic-version: 2023-06-01\r\n"
            "authorization: Bearer managed-by-cc-relay\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def socket(self) -> socket.socket:
        """A socket of the right family, not connected yet and never blocking."""
        family, kind, *_ = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        one = socket.socket(family, kind)
        one.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return one
