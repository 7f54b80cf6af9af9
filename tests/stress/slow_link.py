"""Slow link: a TCP proxy that keeps every piece of an answer back for a while."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Self

_CHUNK: Final = 65536


class SlowLink:
    """Between a client and a server on this machine; a context manager that ends its threads."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.delay_s = 0.0
        """What is added to an answer from now on."""
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._listener)
        for each in list(self._open):
            _end(each)
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._join, self._listener.accept()[0])

    def _join(self, near: socket.socket) -> None:
        """Carry what comes, both ways, until both have ended."""
        with (
            near,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._to), timeout=5) as far,
        ):
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(end)
            back = threading.Thread(target=self._carry, args=(far, near, True), daemon=True)
            back.start()
            self._carry(near, far, is_late=False)
            back.join()
            self._open -= {near, far}

    def _carry(self, source: socket.socket, sink: socket.socket, is_late: bool) -> None:  # noqa: FBT001  a thread's arguments
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if is_late and self.delay_s:
                    time.sleep(self.delay_s)
                sink.sendall(data)
        _end(source)
        _end(sink)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
