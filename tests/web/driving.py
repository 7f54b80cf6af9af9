"""Call the application as a WSGI server does, with an environ and a `start_response`."""

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from flask import Flask

from relay import create_app
from relay.app import Reloading
from relay.errors import StreamCut
from relay.exchange.lasting import Lasting
from relay.web import current
from tests.scripted.client import MSG

NO_HEADERS: Mapping[str, str] = {}
UNREAD: object = object()
"""A body that nobody may read."""


@dataclass(slots=True)
class Answered:
    """What a server would have written."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes = b""
    cut: bool = False

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.content)

    def error(self) -> tuple[str, str]:
        """Type and message of an error made here, checked to have the API's shape."""
        document = self.json()
        assert set(document) == {"type", "error", "request_id"}
        assert document["type"] == "error"
        assert set(document["error"]) == {"type", "message"}
        assert self.header("content-type") == "application/json"
        assert self.header("content-length") == str(len(self.content))
        assert document["request_id"] == self.header("x-request-id") == self.header("request-id")
        return document["error"]["type"], document["error"]["message"]


def environ(
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> dict[str, Any]:
    """What gunicorn makes of a request."""
    path, _, query = target.partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "relay.test",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body or b""),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
    }
    if body is not None:
        made["CONTENT_LENGTH"] = str(len(body))
        made["CONTENT_TYPE"] = "application/json"
    for name, value in headers.items():
        made["HTTP_" + name.upper().replace("-", "_")] = value
    return made


class App:
    """One application over one configuration file."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.path = folder / "config.yaml"
        self._folder = folder
        self.write(settings)
        self.flask: Flask = create_app(self.path)

    def write(self, settings: Mapping[str, Any] | str) -> None:
        """Put another configuration into the file."""
        if not isinstance(settings, str):
            server = {"listen": "127.0.0.1:0"} | settings["server"]
            logged = {"output": str(self._folder / "log"), "format": "json"}
            whole = {"state": {"dir": str(self._folder / "state")}, "logging": logged}
            whole |= settings
            settings = json.dumps(whole | {"server": server}, ensure_ascii=False)
        self.path.write_text(settings, encoding="utf-8")

    @property
    def reloading(self) -> Reloading:
        return cast("Reloading", self.flask.extensions["cc-relay-reloading"])

    @property
    def relay(self) -> current.Relay:
        return cast("current.Relay", self.flask.extensions[current.EXTENSION])

    @property
    def lasting(self) -> Lasting:
        return self.relay.lasting

    def close(self) -> None:
        self.reloading.close()
        self.relay.runtime.close()

    def call(self, environ: Mapping[str, Any]) -> tuple[Answered, Iterable[bytes]]:
        """Call the application once; the body is not touched."""
        started: list[Answered] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], object]:
            assert exc_info is None
            assert all(type(each) is str for pair in headers for each in pair)
            started.append(Answered(int(status.split(" ", 1)[0]), list(headers)))
            return lambda _: None

        body = self.flask(dict(environ), start_response)
        (answered,) = started
        return answered, body

    def ask(
        self,
        method: str = "POST",
        target: str = "/v1/messages",
        body: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        stream: object = None,
        length: int | None = None,
    ) -> Answered:
        """One request, its response read to the end and closed.

        `stream` stands in for the server's body reader, `length` for what the client announced.
        """
        if body is None and method == "POST":
            body = MSG
        asked = environ(method, target, body, headers)
        if stream is not None:
            asked["wsgi.input"] = stream
        if length is not None:
            asked["CONTENT_LENGTH"] = str(length)
        answered, content = self.call(asked)
        answered.cut = True
        try:
            with contextlib.suppress(StreamCut):
                for piece in content:
                    answered.content += piece
                answered.cut = False
        finally:
            end(content)
        return answered

    @property
    def holds(self) -> tuple[int, int, int]:
        """Exchanges running, slots and leases of `k1` out."""
        lasting = self.lasting
        leases = sum(
            lasting.running.attempts[f"{upstream.name}/{position}"]
            for upstream in self.relay.runtime.means.upstreams
            for position in range(len(upstream.config.keys))
        )
        return lasting.running.count, lasting.slots.held, leases


NOTHING = (0, 0, 0)


def end(body: Iterable[bytes]) -> None:
    """Close a body, where it can be closed."""
    close = cast("Callable[[], None] | None", getattr(body, "close", None))
    if close is not None:
        close()
