"""The application in somebody's Flask pipeline: what is registered on it is asked, as in any."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, after_this_request, g, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.scripted.client import MSG
from tests.scripted.upstream import Upstream
from tests.web.driving import App


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
