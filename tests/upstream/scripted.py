"""A server of raw bytes: every connection it accepts runs a script."""

import socket as blocking
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.ssl import SSLContext

from relay.wire import Timeouts, UpstreamRequest

CERTIFICATES: Final = Path(__file__).parent / "certificates"
CA_FILE: Final = str(CERTIFICATES / "ca.pem")

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# More than the kernel buffers of both sides hold.
HUGE: Final = b"x" * (32 << 20)
QUICK: Final = Timeouts(connect_s=5.0, first_byte_s=5.0, idle_s=5.0)


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    port: int
    """The client's port: names the connection."""


@dataclass
class Peer:
    """The server's side of one connection."""

    sock: socket.socket
    server: "Server"
    port: int
    rest: bytearray = field(default_factory=bytearray)

    def request(self) -> Received | None:
        """The next request, None when the client has closed."""
        while b"\r\n\r\n" not in self.rest:
            if not self._read():
                return None
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        line, *fields = bytes(head).decode("latin-1").split("\r\n")
        headers = [(name, value) for name, _, value in (f.partition(": ") for f in fields)]
        length = int(dict(headers).get("Content-Length", "0"))
        while len(self.rest) < length:
            if not self._read():
                return None
        received = Received(line, headers, bytes(self.rest[:length]), self.port)
        del self.rest[:length]
        self.server.requests.append(received)
        return received

    def send(self, *chunks: bytes, pause_s: float = 0.0) -> None:
        """Write each chunk, and wait after each."""
        for chunk in chunks:
            self.sock.sendall(chunk)
            gevent.sleep(pause_s)

    def wait_for_end(self) -> None:
        """Wait until the client closes its side."""
        while self._read():
            pass
        self.server.ended += 1

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(blocking.SOL_SOCKET, blocking.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _read(self) -> bool:
        data = self.sock.recv(1 << 20)
        self.rest += data
        return bool(data)


Script = Callable[[Peer], None]


def says(*answers: bytes) -> Script:
    """Read a request, write the next answer; close after the last one."""

    def script(peer: Peer) -> None:
        for answer in answers:
            if peer.request() is None:
                return
            peer.send(answer)

    return script


def repeats(answer: bytes = OK) -> Script:
    """The same answer to every request, for as long as the client likes."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer)

    return script


@dataclass
class Server:
    """Listens on a port of its own; `requests` and `connections` count what really came."""

    script: Script
    certificate: str = ""
    host: str = "127.0.0.1"
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    resumed: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tls: SSLContext | None = None
        if self.certificate:
            self._tls = SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(str(CERTIFICATES / f"{self.certificate}.pem"))
            self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._greenlets = Pool()
        self._server = StreamServer((self.host, 0), self._serve, spawn=self._greenlets)
        self._server.start()
        self.port = int(self._server.address[1])

    def url(self, path: str = "/") -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{self.host}:{self.port}{path}"

    def stop(self) -> None:
        self._server.stop(timeout=0)
        self._greenlets.kill(timeout=2)

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.connections += 1
        sock.setsockopt(blocking.IPPROTO_TCP, blocking.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self.resumed.append(bool(sock.session_reused))
            self.script(Peer(sock, self, address[1]))
        except OSError:  # the client went away, which some tests are about
            return
        finally:
            sock.close()


def a_request(
    url: str,
    *,
    method: str = "POST",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    timeouts: Timeouts = QUICK,
) -> UpstreamRequest:
    return UpstreamRequest(method, url, headers or {}, body, timeouts)


def bytewise(data: bytes) -> Iterator[bytes]:
    for position in range(len(data)):
        yield data[position : position + 1]
