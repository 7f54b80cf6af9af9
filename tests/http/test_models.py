"""The lists of models and providers (A.1: 3 to 5, G11)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

ANTHROPIC = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-5"]
ZAI = ["GLM-5", "GLM-4.7", "GLM-4.5-Air"]
ZAI_LISTED = [name for model in ZAI for name in (model, f"anthropic/{model}")]


@pytest.fixture(scope="module")
def two_models(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    entry = provider("p", plain_upstream, "k1", models=["claude-a", "claude-b"])
    return start_relay(config(entry), workers=1)


@pytest.fixture(scope="module")
def many(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    """Four providers, the third disabled, the last with models that others have, too."""
    url = plain_upstream.url.replace("http://", "http://user:secret-word@")
    return start_relay(
        config(
            provider("a", f"{url}/base/", "k1"),
            provider("z", plain_upstream, "zk", type="zai"),
            provider("off", plain_upstream, "k3", models=["claude-off"], enabled=False),
            provider("twice", plain_upstream, "k4", models=["claude-opus-5-5", "claude-new"]),
        ),
        workers=1,
    )


def _ids(relay: Relay, query: str = "") -> list[str]:
    return [entry["id"] for entry in relay.get(f"/v1/models{query}").json()["data"]]


def test_a_list_has_the_shapes_of_both_apis(two_models: Relay) -> None:
    document = two_models.get("/v1/models").json()
    assert set(document) == {"object", "data", "has_more", "first_id", "last_id"}
    assert document["object"] == "list"
    assert document["has_more"] is False
    assert (document["first_id"], document["last_id"]) == ("claude-a", "claude-b")
    assert [entry["id"] for entry in document["data"]] == ["claude-a", "claude-b"]
    for entry in document["data"]:
        assert set(entry) == {
            *("id", "type", "display_name", "created_at"),
            *("object", "owned_by", "provider", "created"),
        }
        assert (entry["object"], entry["type"]) == ("model", "model")
        assert (entry["owned_by"], entry["provider"]) == ("anthropic", "p")
        assert entry["display_name"] == entry["id"]
        assert type(entry["created"]) is int
        created_at = datetime.fromisoformat(entry["created_at"])
        assert int(created_at.timestamp()) == entry["created"]
        assert abs(datetime.now(UTC) - created_at).total_seconds() < 120


def test_defaults_are_listed_in_the_order_of_the_file_each_once(many: Relay) -> None:
    assert _ids(many) == [*ANTHROPIC, *ZAI_LISTED, "claude-new"]
    entries = {entry["id"]: entry for entry in many.get("/v1/models").json()["data"]}
    assert entries["claude-opus-5-5"]["provider"] == "a"
    assert entries["GLM-5"]["owned_by"] == "zhipu"
    assert entries["anthropic/GLM-5"]["provider"] == "z"


def test_providers_are_listed_without_their_secrets(many: Relay, plain_upstream: Upstream) -> None:
    answer = many.get("/v1/providers")
    document = answer.json()
    assert document["object"] == "list"
    assert [entry["name"] for entry in document["data"]] == ["a", "z", "twice"]
    assert [entry["type"] for entry in document["data"]] == ["anthropic", "zhipu", "anthropic"]
    assert all(entry["active"] is True for entry in document["data"])
    assert document["data"][0]["base_url"] == f"{plain_upstream.url}/base"
    assert document["data"][0]["models"] == ANTHROPIC
    assert document["data"][2]["models"] == ["claude-opus-5-5", "claude-new"]
    assert not [w for w in ("secret-word", "user", "k1", "zk") if w.encode() in answer.content]


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ("?limit=1000", [*ANTHROPIC, *ZAI_LISTED, "claude-new"], False),
        ("?limit=2", ANTHROPIC[:2], True),
        (f"?limit=2&after_id={ANTHROPIC[1]}", ANTHROPIC[2:4], True),
        ("?after_id=GLM-4.5-Air", ["anthropic/GLM-4.5-Air", "claude-new"], False),
        ("?after_id=anthropic%2FGLM-4.5-Air", ["claude-new"], False),
        ("?after_id=claude-new", [], False),
        (f"?before_id={ANTHROPIC[2]}", ANTHROPIC[:2], False),
        (f"?before_id={ANTHROPIC[3]}&limit=1", [ANTHROPIC[2]], True),
        (f"?before_id={ANTHROPIC[0]}", [], False),
    ],
)
def test_pages(
    many: Relay,
    query: str,
    ids: list[str],
    has_more: bool,  # noqa: FBT001  pytest passes by name
) -> None:
    document = many.get(f"/v1/models{query}").json()
    assert [entry["id"] for entry in document["data"]] == ids
    assert document["has_more"] is has_more
    assert document["first_id"] == (ids[0] if ids else None)
    assert document["last_id"] == (ids[-1] if ids else None)


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=1001", "?limit=x", "?limit=-1", "?after_id=no", "?before_id=no"]
)
def test_a_page_that_is_none_is_a_bad_request(many: Relay, query: str) -> None:
    answer = many.get(f"/v1/models{query}")
    assert answer.status == 400
    assert answer.error()[0] == "invalid_request_error"


@pytest.mark.parametrize("id", ["claude-new", "GLM-4.7", "anthropic%2FGLM-4.7"])
def test_one_model_is_found_by_its_encoded_id(many: Relay, id: str) -> None:
    entry = many.get(f"/v1/models/{id}").json()
    assert entry["id"] == id.replace("%2F", "/")
    assert entry["type"] == "model"


@pytest.mark.parametrize("id", ["nope", "claude-off", "anthropic%2Fclaude-new"])
def test_an_unknown_model_is_not_found(many: Relay, id: str) -> None:
    answer = many.get(f"/v1/models/{id}")
    assert answer.status == 404
    assert answer.error()[0] == "not_found_error"
    assert answer.header("x-should-retry") == "false"


@pytest.mark.parametrize(
    "credential",
    [
        {"x-api-key": "a"},
        {"Authorization": "Bearer a"},
        {"x-api-key": "a", "Authorization": "Bearer b"},
    ],
)
def test_discovery_is_answered_at_once_without_asking_anybody(
    many: Relay, plain_upstream: Upstream, credential: dict[str, str]
) -> None:
    connection = many.connect()
    assert connection.ask("GET", "/health").content
    asked_at = time.monotonic()
    answer = connection.ask("GET", "/v1/models?limit=1000", None, credential)
    assert time.monotonic() - asked_at < 0.1
    assert "anthropic/GLM-4.7" in [entry["id"] for entry in answer.json()["data"]]
    assert plain_upstream.accepted == 0


def test_a_listed_alias_reaches_the_upstream_without_its_prefix(
    many: Relay, plain_upstream: Upstream
) -> None:
    body = MSG.replace(b"claude-x", b"anthropic/GLM-4.7")
    assert many.post(body).status == 200
    assert plain_upstream.only().body == MSG.replace(b"claude-x", b"GLM-4.7")


def test_a_disabled_provider_gets_nothing(
    start_relay: StartRelay, plain_upstream: Upstream, start_upstream: Callable[[], Upstream]
) -> None:
    off = start_upstream()
    relay = start_relay(
        config(
            provider("off", off, "k0", enabled=False, priority=2, base_url="${UNSET_VARIABLE}"),
            provider("on", plain_upstream, "k1"),
        ),
        workers=1,
    )
    assert relay.post().status == 200
    assert len(plain_upstream.requests) == 1
    assert off.accepted == 0
