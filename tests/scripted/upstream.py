"""Upstream: a provider on a real loopback socket that records requests and answers by script.

Plain blocking sockets, one thread a connection. The order in which an answer is found: the
function given to `answers_with`, else the queue filled by `says`, else a plain JSON message.
"""

import contextlib
import itertools
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from io import BufferedReader
from typing import Self

from tests.scripted import answers
from tests.scripted.answers import Answer, Step
from tests.scripted.recorded import Recorded
from tests.scripted.waiting import until

Script = Callable[[Recorded], Answer]

_LONGEST_S = 60.0
"""No step and no connection lasts longer."""
_LOOK_EVERY_S = 0.02


class PeerGone(Exception):
    """The peer closed the connection."""


class Upstream:
    """The scripted provider; a context manager that ends all its threads."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._requests: list[Recorded] = []
        self._queue: deque[Answer] = deque()
        self._script: Script | None = None
        self._open: set[socket.socket] = set()
        self._numbers = itertools.count()
        self.accepted = 0
        """How many connections came since the last `forget`, whatever came over them."""
        self._threads: set[threading.Thread] = set()
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for open_socket in list(self._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)

    @property
    def requests(self) -> list[Recorded]:
        """What arrived since the last `forget`."""
        with self._lock:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def says(self, *answers: Answer) -> None:
        """Answer the next requests with these, in order."""
        self._queue.extend(answers)

    def answers_with(self, script: Script | Answer) -> None:
        """Answer every request from now on with this."""
        self._script = script if callable(script) else lambda _: script

    def forget(self) -> None:
        """Start anew: no requests, no script."""
        with self._lock:
            self._requests.clear()
        self._queue.clear()
        self._script = None
        self.accepted = 0

    def wait_for(self, count: int, within_s: float = 5.0) -> list[Recorded]:
        """The requests, once there are `count`."""
        until(f"{count} requests upstream", lambda: len(self.requests) >= count, within_s)
        return self.requests

    def only(self) -> Recorded:
        """The one request there was."""
        assert len(self.requests) == 1, f"{len(self.requests)} requests instead of 1"
        return self.requests[0]

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(_LONGEST_S)
            self.accepted += 1
            self._open.add(connected)
            self._start(self._serve, connected, next(self._numbers))

    def _serve(self, connected: socket.socket, number: int) -> None:
        mine: list[Recorded] = []
        reader = connected.makefile("rb")
        try:
            while (request := _read(reader, number)) is not None:
                mine.append(request)
                answer = self._answer_to(request)
                if not self._play(connected, answer, request):
                    break
        except (PeerGone, OSError, ValueError):
            pass
        finally:
            for request in mine:
                request.closed_at = request.closed_at or time.monotonic()
                request.closed.set()
            reader.close()
            connected.close()
            self._open.discard(connected)
            self._threads.discard(threading.current_thread())

    def _answer_to(self, request: Recorded) -> Answer:
        with self._lock:
            self._requests.append(request)
            queued = None if self._script or not self._queue else self._queue.popleft()
        if self._script:
            return self._script(request)
        return queued or answers.says_message()

    def _play(self, connected: socket.socket, answer: Answer, request: Recorded) -> bool:
        """Write the answer; whether the connection serves another request."""
        try:
            for wait in answer.before:
                self._wait(connected, wait)
            if answer.status:
                if answer.framing != "raw":
                    connected.sendall(_head(answer))
                if request.method != "HEAD":
                    for step in answer.steps:
                        self._take(connected, step, answer)
                        if isinstance(step, bytes):
                            request.wrote_at.append(time.monotonic())
            request.answered.set()
            return self._end(connected, answer)
        except (PeerGone, ConnectionError):
            request.closed_at = time.monotonic()
            request.closed.set()
            raise

    def _take(self, connected: socket.socket, step: Step, answer: Answer) -> None:
        if not isinstance(step, bytes):
            self._wait(connected, step)
        elif answer.framing == "chunked" and step:
            connected.sendall(b"%x\r\n%s\r\n" % (len(step), step))
        else:
            connected.sendall(step)

    def _wait(self, connected: socket.socket, step: float | threading.Event) -> None:
        """Pause or hold, and see meanwhile whether the peer closes."""
        ends = time.monotonic() + (_LONGEST_S if isinstance(step, threading.Event) else step)
        poll = select.poll()
        poll.register(connected, select.POLLIN | select.POLLRDHUP)
        while (left_s := ends - time.monotonic()) > 0 and not self._ending.is_set():
            if isinstance(step, threading.Event) and step.is_set():
                return
            if poll.poll(min(left_s, _LOOK_EVERY_S) * 1000):
                if not connected.recv(1, socket.MSG_PEEK):
                    raise PeerGone
                time.sleep(_LOOK_EVERY_S)

    def _end(self, connected: socket.socket, answer: Answer) -> bool:
        if answer.ends == "clean" and answer.status:
            if answer.framing == "chunked":
                connected.sendall(b"0\r\n\r\n")
            return answer.framing != "close"
        if answer.ends == "inside_chunk":
            connected.sendall(b"400\r\nhalf of it")
        if answer.ends == "reset":
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.ends == "open":
            self._wait(connected, threading.Event())
        return False


def _head(answer: Answer) -> bytes:
    fields = list(answer.headers)
    if answer.framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
    elif answer.framing == "close":
        fields.append(("Connection", "close"))
    elif not any(name.lower() == "content-length" for name, _ in fields):
        length = sum(len(step) for step in answer.steps if isinstance(step, bytes))
        fields.append(("Content-Length", str(length)))
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _read(reader: BufferedReader, number: int) -> Recorded | None:
    """The next request of a connection; None at its end."""
    readline, read = reader.readline, reader.read
    first = readline().decode("latin-1").rstrip("\r\n")
    if not first:
        return None
    method, target, _ = first.split(" ", 2)
    headers: list[tuple[str, str]] = []
    while line := readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    lower = {name.lower(): value for name, value in headers}
    if lower.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(readline, read))
    else:
        length = int(lower.get("content-length", "0"))
        body = read(length)
        if len(body) < length:
            raise PeerGone
    return Recorded(method, target, tuple(headers), body, number, time.monotonic())


def _chunks(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> list[bytes]:
    chunks: list[bytes] = []
    while size := int(readline().split(b";")[0], 16):
        chunks.append(read(size))
        readline()
    while readline().rstrip(b"\r\n"):
        pass
    return chunks
