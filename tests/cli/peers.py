"""Peers on real sockets, each with a way of its own to answer."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Play = Callable[[socket.socket, bytes, threading.Event], None]


@contextlib.contextmanager
def peer(play: Play) -> Iterator[int]:
    """A server on a free port that plays `play(socket, request, over)` for each connection."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=_serve, args=(listener, play, over))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(10)


def _serve(listener: socket.socket, play: Play, over: threading.Event) -> None:
    threads: list[threading.Thread] = []
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            sock, _ = listener.accept()
            thread = threading.Thread(target=_play, args=(sock, play, over))
            thread.start()
            threads.append(thread)
    for thread in threads:
        thread.join(10)


def _play(sock: socket.socket, play: Play, over: threading.Event) -> None:
    with sock, contextlib.suppress(OSError):
        sock.settimeout(10)
        play(sock, sock.recv(65536), over)


def answers(**by_path: bytes) -> Play:
    """Answers by path, with `_` for `/`; anything else gets a 404 without our header."""

    def play(sock: socket.socket, request: bytes, over: threading.Event) -> None:
        assert not over.is_set()
        path = request.split()[1].split(b"?")[0].decode().strip("/").replace("/", "_")
        sock.sendall(by_path.get(path, http(404, b"nothing here", "text/plain", ours=False)))

    return play


def http(
    status: int, body: bytes, kind: str = "application/json", *, ours: bool = True, extra: str = ""
) -> bytes:
    """A whole response. The connection stays open: the length tells the end."""
    request_id = "x-request-id: 1\r\n" if ours else ""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{request_id}{extra}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
