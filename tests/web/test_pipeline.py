"""The application in somebody's Flask pipeline: what is registered on it is asked, as in any."""

import gc
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import gevent.socket
import pytest
from flask import Flask, Response, after_this_request, g, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.scripted import messages
from tests.scripted.answers import says
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.upstream import Upstream
from tests.web.driving import NOTHING, App, end, environ


def test_a_function_before_the_request_may_answer_it(app: App, a: Upstream) -> None:
    app.flask.before_request(lambda: ("not today", 503))

    assert app.ask("POST", "/v1/messages", MSG).status == 503
    assert a.requests == []


def test_a_function_of_the_blueprint_before_the_request_is_called(app: App) -> None:
    seen: list[Any] = []
    app.flask.before_request_funcs["v1"] = [lambda: seen.append(request.endpoint)]

    assert app.ask("POST", "/v1/messages", MSG).status == 200
    assert seen == ["v1.create_message"]


def test_a_function_after_the_request_sees_and_changes_the_response(app: App) -> None:
    @app.flask.after_request
    def change(response: Response) -> Response:
        assert response.status_code == 200
        assert response.status == "200 OK"
        assert response.headers["content-type"] == "application/json"
        response.headers["X-Mine"] = "yes"
        response.status_code = 202
        return response

    answered = app.ask("POST", "/v1/messages", MSG)

    assert answered.status == 202
    assert answered.header("x-mine") == "yes"
    assert answered.json()["type"] == "message"


def test_the_body_may_be_wrapped_after_the_request_and_is_closed_with_it(app: App) -> None:
    closed: list[bool] = []

    def counted(body: Any) -> Iterator[bytes]:
        try:
            yield from body
        finally:
            closed.append(True)

    @app.flask.after_request
    def wrap(response: Response) -> Response:
        response.response = counted(response.response)
        return response

    assert app.ask("POST", "/v1/messages", MSG).json()["type"] == "message"
    assert closed == [True]


def test_a_function_after_this_one_request_is_called(app: App) -> None:
    @app.flask.url_value_preprocessor
    def register(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        @after_this_request
        def mark(response: Response) -> Response:
            response.headers["X-Once"] = "1"
            return response

    assert app.ask("POST", "/v1/messages", MSG).header("x-once") == "1"


def test_another_session_interface_is_used(app: App) -> None:
    app.flask.secret_key = "x" * 32
    app.flask.session_interface = SecureCookieSessionInterface()

    @app.flask.before_request
    def remember() -> None:
        session["seen"] = 1

    assert "session=" in (app.ask("POST", "/v1/messages", MSG).header("set-cookie") or "")


def test_a_function_at_the_teardown_is_called(app: App) -> None:
    gone: list[Any] = []
    app.flask.teardown_request(gone.append)

    app.ask("POST", "/v1/messages", MSG)

    assert gone == [None]


@pytest.mark.parametrize("path", ["/v1/messages", "/health"])
def test_it_may_be_one_application_among_others(app: App, path: str) -> None:
    outer = Flask("outer")

    @outer.get("/mine")
    def mine() -> str:
        return str(g.get("nothing", "mine"))

    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/relay": app.flask})  # type: ignore[method-assign]

    client = outer.test_client()
    assert client.get("/mine").text == "mine"
    method = "GET" if path == "/health" else "POST"
    assert client.open(f"/relay{path}", method=method, data=MSG).status_code == 200


def test_what_a_function_puts_in_place_of_the_body_ends_the_exchange(app: App) -> None:
    @app.flask.after_request
    def blank(response: Response) -> Response:
        response.set_data(b"blank")
        return response

    assert app.ask("POST", "/v1/messages", MSG).content == b"blank"
    assert app.holds == NOTHING


def test_another_response_in_place_of_ours_ends_the_exchange(app: App) -> None:
    app.flask.after_request(lambda _: Response("other"))

    assert app.ask("POST", "/v1/messages", MSG).content == b"other"
    assert app.holds == NOTHING


def test_a_teardown_that_fails_ends_the_exchange(app: App) -> None:
    @app.flask.teardown_request
    def fail(_: object) -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        app.ask("POST", "/v1/messages", MSG)
    assert app.holds == NOTHING


def test_a_function_that_fails_after_the_request_ends_the_exchange(app: App, a: Upstream) -> None:
    @app.flask.after_request
    def fail(_: Response) -> Response:
        raise ValueError("on purpose")

    beginning = messages.beginning()
    a.says(says(200, {"Content-Type": "text/event-stream"}, *beginning, 9.0, framing="chunked"))

    assert app.ask("POST", "/v1/messages", STREAM_MSG).status == 500
    assert a.only().closed.wait(2), "the upstream goes on for nobody"
    assert app.holds == NOTHING


def test_a_function_may_wait_for_the_end_of_the_response(app: App) -> None:
    closed: list[bool] = []

    @app.flask.after_request
    def follow(response: Response) -> Response:
        response.call_on_close(lambda: closed.append(True))
        return response

    assert app.ask("POST", "/v1/messages", MSG).status == 200
    assert closed == [True]


def test_a_function_of_one_request_is_not_kept(app: App) -> None:
    kept: list[weakref.ref[Any]] = []

    @app.flask.before_request
    def register() -> None:
        def once(response: Response) -> Response:
            return response

        kept.append(weakref.ref(once))
        after_this_request(once)

    app.ask("GET", "/health")
    gc.collect()

    assert [each() for each in kept] == [None]


def test_what_one_request_writes_into_its_arguments_no_other_sees(app: App) -> None:
    @app.flask.after_request
    def note(response: Response) -> Response:
        assert request.view_args == {}
        request.view_args["seen"] = True
        return response

    assert [app.ask("POST", "/v1/messages", MSG).status for _ in range(2)] == [200, 200]


def _capitals(pieces: Iterable[Any]) -> Iterator[bytes]:
    try:
        for piece in pieces:
            yield piece.upper()
    finally:
        end(pieces)


@pytest.mark.parametrize("by", ["hook", "middleware"])
def test_a_body_that_was_wrapped_goes_through_what_it_was_wrapped_in(
    app: App, a: Upstream, by: str
) -> None:
    """Nothing of a stream may be written to the socket around it."""
    if by == "hook":

        @app.flask.after_request
        def wrap(response: Response) -> Response:
            response.response = _capitals(response.response)
            return response
    else:
        inner = app.flask.wsgi_app
        app.flask.wsgi_app = lambda *given: _capitals(inner(*given))  # type: ignore[method-assign]
    events = messages.text_stream()
    steps = [step for event in events for step in (event, 0.02)]
    a.says(says(200, {"Content-Type": "text/event-stream"}, *steps, framing="chunked"))
    with gevent.socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = gevent.socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    asked = environ("POST", "/v1/messages", STREAM_MSG)
    with client, server:
        _, body = app.call(asked | {"gunicorn.socket": server})
        came = b"".join(body)
        end(body)
        server.close()
        around = client.recv(65536)

    assert around == b""
    assert came == b"".join(events).upper()
