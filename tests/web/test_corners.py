"""Corners of the surface: faults of ours, doors, odd paths and clients that are gone."""

import json
import socket
from typing import Any

import pytest
from gunicorn.http.errors import InvalidResponseHeader

from relay.web.malformed import answered_here
from tests.scripted import messages
from tests.scripted.answers import streams
from tests.scripted.client import STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import NOTHING, App, environ


def test_a_server_that_refuses_the_headers_leaves_nothing_behind(app: App, a: Upstream) -> None:
    a.says(streams(*messages.beginning(), ends="open"))

    def start_response(*_: object) -> Any:
        raise InvalidResponseHeader("x")

    with pytest.raises(InvalidResponseHeader):
        app.flask(environ("POST", "/v1/messages", STREAM_MSG), start_response)
    assert app.holds == NOTHING


def test_a_response_header_that_cannot_be_sent_is_our_fault() -> None:
    class Worker:
        def handle_error(self, *_: object) -> None:
            raise AssertionError

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(0.5)
        answered_here(Worker())(None, ours, None, InvalidResponseHeader("x"))
        assert theirs.recv(1000).startswith(b"HTTP/1.1 500 ")


def test_a_reload_opens_no_door_on_the_address_that_is_bound(
    start_app: StartApp, a: Upstream
) -> None:
    guarded = {"listen": "0.0.0.0:8787", "auth": {"api_key": "s"}}
    app = start_app(config(provider("p", a, "k1"), server=guarded))
    app.write(config(provider("p", a, "k1"), server={"listen": "127.0.0.1:8787"}))
    app.reloading.reload()
    assert app.ask().status == 401
    assert not a.requests


def test_a_reload_lets_no_stranger_spend_keys_on_the_address_that_is_bound(
    start_app: StartApp, a: Upstream
) -> None:
    auth = {"auth": {"allow_bearer": True}}
    zai = provider("z", a, "kz", type="zai")
    app = start_app(config(zai, server={"listen": "0.0.0.0:8787"} | auth))
    stranger = {"authorization": "Bearer own"}
    assert app.ask(headers=stranger).status == 403
    app.write(config(zai, server={"listen": "127.0.0.1:8787"} | auth))
    app.reloading.reload()
    assert app.ask(headers=stranger).status == 403


@pytest.mark.parametrize("method", ["PURGE", "TRACE"])
def test_what_is_allowed_instead_does_not_name_options(app: App, method: str) -> None:
    answered = app.ask(method, "/v1/files/x")
    assert answered.status == 405
    assert answered.header("allow") == "DELETE, GET, HEAD, PATCH, POST, PUT"


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "a b", "", "\xe9", "[::1", "h:x"])
def test_a_strange_host_changes_nothing(app: App, host: str) -> None:
    asked = environ("GET", "/health") | {"HTTP_HOST": host}
    answered, _ = app.call(asked)
    assert answered.status in (200, 400)


@pytest.mark.usefixtures("a")
@pytest.mark.parametrize("body", [b'{"model":"a\\ud800","stream":false}', b'{"model":"\\ud800"}'])
def test_half_a_character_is_no_fault_of_ours(app: App, body: bytes) -> None:
    assert app.ask(body=body).status == 200


@pytest.mark.parametrize(
    "path", ["/v1/%ff%fe", "/%ff", "/v1/models/%ff", "/v1/messages%00", "/v1/\xe9"]
)
def test_a_path_of_odd_bytes_is_an_error_of_the_api(app: App, path: str) -> None:
    answered = app.ask("GET", path)
    assert answered.status in (200, 400, 404)


def test_json_is_ascii_or_utf8(app: App) -> None:
    assert json.loads(app.ask("GET", "/v1/models/%e4%b8%ad").content)


def test_a_client_gone_before_it_is_told_to_go_on_has_left(app: App) -> None:
    class Awaited:
        awaits_continue = True

        def read(self, _size: int) -> bytes:
            raise AssertionError

    ours, theirs = socket.socketpair()
    theirs.close()
    asked = environ("POST", "/v1/messages", b"12345") | {
        "wsgi.input": Awaited(),
        "gunicorn.socket": ours,
    }
    with ours, pytest.raises(ConnectionError):
        app.call(asked)
