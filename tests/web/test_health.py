"""Whether it runs and can serve: nobody is authenticated, nothing is asked (behaviour 4.2)."""

import pytest

from tests.scripted.answers import says_error
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import App


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/health", "/api/hello"])
def test_it_is_alive_for_anybody(start_app: StartApp, a: Upstream, method: str, path: str) -> None:
    app = start_app(config(provider("p", a, "k1"), server={"auth": {"api_key": "s"}}))

    answered = app.ask(method, path)

    assert answered.status == 200
    assert answered.content == (b'{"status":"ok"}' if method == "GET" else b"")
    assert answered.header("content-type") == "application/json"
    assert answered.header("content-length") == "15"
    assert not a.requests


def test_it_is_ready_with_a_key_that_is_not_resting(app: App, a: Upstream) -> None:
    answered = app.ask("GET", "/health/ready")

    assert (answered.status, answered.json()) == (200, {"status": "ready"})
    assert not a.requests


def test_it_is_ready_without_keys_of_its_own(start_app: StartApp, a: Upstream) -> None:
    assert start_app(config(provider("p", a))).ask("GET", "/health/ready").status == 200


def test_it_is_not_ready_while_every_key_rests(start_app: StartApp, a: Upstream) -> None:
    url = f"http://user:pass-word@127.0.0.1:{a.port}"
    app = start_app(config(provider("one", url, "key-1"), provider("two", url, "key-2")))
    a.answers_with(says_error(429, "rate_limit_error"))
    app.ask()

    answered = app.ask("GET", "/health/ready")

    assert answered.status == 503
    assert answered.json()["status"] == "not ready"
    assert [reason.partition(":")[0] for reason in answered.json()["reasons"]] == ["one", "two"]
    for secret in ("key-1", "pass-word", "127.0.0.1"):
        assert secret not in answered.content.decode()


def test_one_provider_that_can_serve_is_enough(start_app: StartApp, a: Upstream) -> None:
    app = start_app(config(provider("one", a, "k1", priority=2), provider("two", a, "k2")))
    a.says(says_error(429, "rate_limit_error"))
    app.ask()

    assert app.ask("GET", "/health/ready").status == 200


def test_a_relay_that_is_shutting_down_is_not_ready_and_alive(app: App) -> None:
    app.lasting.running.draining = True

    answered = app.ask("GET", "/health/ready")

    assert (answered.status, answered.json()["reasons"]) == (503, ["draining"])
    assert app.ask("GET", "/health").status == 200
