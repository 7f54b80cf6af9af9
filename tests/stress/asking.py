"""Asking: one request over a connection of its own, and all that is seen of its answer.

Nothing waits without a limit: a relay that says nothing for 15 s is a failure that names the
request.
"""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.scripted import messages
from tests.scripted.client import Connection, Cut, Response

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and its answer; `status` 0 is none. Times are `time.monotonic`."""

    request_id: str
    sent_at: float
    took_s: float
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    """Whether the connection ended before the answer did."""

    def header(self, name: str) -> str | None:
        """A header's first value."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def is_error(self) -> bool:
        """Whether it says in the API's shape that it failed."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return False
        return self.status >= 400 and not self.is_cut and document.get("type") == "error"

    @property
    def is_whole(self) -> bool:
        """Whether it is a complete message: a plain one, or a stream to its `message_stop`."""
        if self.status != 200 or self.is_cut:
            return False
        if (self.header("content-type") or "").startswith("text/event-stream"):
            return self.body.endswith(messages.event("message_stop"))
        try:
            return bool(json.loads(self.body)["stop_reason"])
        except (ValueError, KeyError):
            return False

    def __repr__(self) -> str:
        end = " cut" if self.is_cut else ""
        return f"<{self.request_id} {self.status}{end} {self.took_s:.2f} s …{self.body[-300:]!r}>"


def body(*, stream: bool = False, text: str = "hi", **fields: Any) -> bytes:
    """A request of the Messages API."""
    said: list[dict[str, str]] = [{"role": "user", "content": text}]
    asked = {"model": "claude-x", "max_tokens": 5, "messages": said} | fields
    return json.dumps(asked | ({"stream": True} if stream else {})).encode()


def ask(
    port: int,
    request_id: str,
    data: bytes,
    *,
    connection: Connection | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Asked:
    """Post a message and read all there is. `connection` stays open, one of its own does not."""
    sent_at = time.monotonic()
    own = connection or Connection(port)
    answer: Response | None = None
    is_cut = False
    try:
        fields = [("X-Request-ID", request_id), *headers]
        answer = own.ask("POST", "/v1/messages", data, fields)
        _ = answer.content
    except (Cut, BrokenPipeError, ConnectionResetError):
        is_cut = True
    except TimeoutError as silent:
        raise AssertionError(f"{request_id} hangs: {answer and answer.so_far!r}") from silent
    finally:
        if connection is None:
            own.close()
    return Asked(
        request_id,
        sent_at,
        time.monotonic() - sent_at,
        answer.status if answer else 0,
        tuple(answer.headers) if answer else (),
        answer.so_far if answer else b"",
        is_cut,
    )


def crowd(clients: int, ask_one: Callable[[T], R], jobs: Iterable[T]) -> list[R]:
    """Do jobs by so many clients at once; what each brought, in the order of the jobs."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask_one, jobs))
