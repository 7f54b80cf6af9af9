"""The lists that are answered from the configuration (behaviour 4.2)."""

import pytest

from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream
from tests.web.conftest import StartApp
from tests.web.driving import App


def test_models_come_page_by_page(start_app: StartApp, a: Upstream) -> None:
    app = start_app(config(provider("p", a, "k", models=["claude-a", "claude-b", "glm/x y"])))

    whole = app.ask("GET", "/v1/models")
    page = app.ask("GET", "/v1/models?limit=1&after_id=claude-a").json()

    assert whole.header("content-length") == str(len(whole.content))
    ids = [entry["id"] for entry in whole.json()["data"]]
    assert ids == ["claude-a", "claude-b", "glm/x y", "anthropic/glm/x y"]
    assert [entry["id"] for entry in page["data"]] == ["claude-b"]
    assert page["has_more"] is True
    assert not a.requests


@pytest.mark.parametrize("path", ["glm/x%20y", "glm%2Fx%20y", "anthropic%2Fglm%2Fx%20y"])
def test_one_model_is_found_by_its_encoded_id(start_app: StartApp, a: Upstream, path: str) -> None:
    app = start_app(config(provider("p", a, "k", models=["glm/x y"])))

    answered = app.ask("GET", f"/v1/models/{path}")

    assert answered.status == 200
    assert answered.json()["id"].endswith("glm/x y")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=none"])
def test_a_page_that_cannot_be_is_a_400(app: App, query: str) -> None:
    answered = app.ask("GET", f"/v1/models?{query}")

    assert answered.status == 400
    assert answered.error()[0] == "invalid_request_error"


def test_providers_are_listed_without_what_is_secret(start_app: StartApp, a: Upstream) -> None:
    url = f"http://us-er:pass-word@127.0.0.1:{a.port}/base"
    app = start_app(config(provider("z", url, "key-1", type="zai", models=["GLM-5"])))

    answered = app.ask("GET", "/v1/providers")

    assert answered.json() == {
        "object": "list",
        "data": [
            {
                "name": "z",
                "type": "zhipu",
                "base_url": f"http://127.0.0.1:{a.port}/base",
                "models": ["GLM-5"],
                "active": True,
            }
        ],
    }


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/claude-x", "/v1/providers"])
def test_lists_are_for_clients_alone(start_app: StartApp, a: Upstream, target: str) -> None:
    app = start_app(config(provider("p", a, "k1"), server={"auth": {"api_key": "s"}}))

    assert app.ask("GET", target).status == 401
    assert app.ask("GET", target, headers={"x-api-key": "s"}).status in (200, 404)
