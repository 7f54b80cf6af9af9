"""The lists of `/v1/models` and `/v1/providers`, and the names behind aliases."""

from typing import Any

import pytest

from relay.config.model import PoolingConfig, ProviderConfig, TimeoutsConfig
from relay.errors import InvalidRequest, NotFound
from relay.routing.models import Catalogue, provider_rows
from relay.secret import Secret

# 2026-11-25T03:00:00Z
LOADED_AT = 1795575600.9


def a_provider(
    name: str, *models: str, type: str = "anthropic", base_url: str = "https://api.example"
) -> ProviderConfig:
    return ProviderConfig(
        name=name,
        type=type,
        base_url=Secret(base_url),
        auth="auto",
        models=models,
        model_mapping={},
        priority=0,
        weight=1,
        keys=(),
        pooling=PoolingConfig(strategy="least_loaded", enabled=False),
        timeouts=TimeoutsConfig(connect_ms=1000, first_byte_ms=1000, idle_ms=1000),
        proxy=Secret(""),
        ca_file="",
    )


def catalogue(*providers: ProviderConfig) -> Catalogue:
    return Catalogue.of(providers, LOADED_AT)


def ids(page: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in page["data"]]


def test_an_entry_has_both_shapes_and_the_time_the_configuration_was_loaded() -> None:
    page = catalogue(a_provider("p", "claude-a")).page()

    assert page == {
        "object": "list",
        "data": [
            {
                "id": "claude-a",
                "type": "model",
                "display_name": "claude-a",
                "created_at": "2026-11-25T03:00:00Z",
                "object": "model",
                "owned_by": "anthropic",
                "provider": "p",
                "created": 1795575600,
            }
        ],
        "has_more": False,
        "first_id": "claude-a",
        "last_id": "claude-a",
    }


def test_providers_and_their_models_stand_in_the_order_of_the_file() -> None:
    page = catalogue(a_provider("p", "claude-b", "claude-a"), a_provider("q", "claude-c")).page()

    assert ids(page) == ["claude-b", "claude-a", "claude-c"]


def test_an_id_of_several_providers_stands_once_for_the_first() -> None:
    shown = catalogue(a_provider("p", "claude-a"), a_provider("q", "claude-a", "claude-b"))

    assert ids(shown.page()) == ["claude-a", "claude-b"]
    assert shown.entry("claude-a")["provider"] == "p"


def test_a_model_claude_code_would_hide_is_listed_under_a_second_name() -> None:
    shown = catalogue(a_provider("z", "GLM-5", "my-claude", type="zai"))

    assert ids(shown.page()) == ["GLM-5", "anthropic/GLM-5", "my-claude"]
    assert shown.entry("anthropic/GLM-5")["owned_by"] == "zhipu"
    assert shown.entry("anthropic/GLM-5")["display_name"] == "anthropic/GLM-5"


def test_the_second_name_is_read_as_the_first() -> None:
    shown = catalogue(a_provider("z", "GLM-5", "claude-a", type="zai"))

    assert shown.resolve("anthropic/GLM-5") == "GLM-5"
    assert shown.resolve("GLM-5") == "GLM-5"
    assert shown.resolve("anthropic/other") == "anthropic/other"
    assert shown.resolve("anthropic/claude-a") == "claude-a"


def test_a_model_really_called_anthropic_slash_name_is_no_alias() -> None:
    shown = catalogue(a_provider("p", "glm"), a_provider("q", "anthropic/glm"))

    assert ids(shown.page()) == ["glm", "anthropic/glm"]
    assert shown.entry("anthropic/glm")["provider"] == "q"
    assert shown.resolve("anthropic/glm") == "anthropic/glm"


def test_a_list_of_nothing_says_so() -> None:
    assert catalogue(a_provider("p")).page() == {
        "object": "list",
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


FIVE = catalogue(a_provider("p", *(f"claude-{n}" for n in range(5))))


@pytest.mark.parametrize(
    ("query", "numbers", "has_more"),
    [
        ({}, "01234", False),
        ({"limit": "2"}, "01", True),
        ({"limit": 5}, "01234", False),
        ({"limit": "1000"}, "01234", False),
        ({"limit": ""}, "01234", False),
        ({"after_id": "claude-1"}, "234", False),
        ({"after_id": "claude-1", "limit": "2"}, "23", True),
        ({"after_id": "claude-4"}, "", False),
        ({"before_id": "claude-3"}, "012", False),
        ({"before_id": "claude-3", "limit": "2"}, "12", True),
        ({"before_id": "claude-0", "limit": "2"}, "", False),
        ({"after_id": "claude-0", "before_id": "claude-4", "limit": "2"}, "12", True),
        ({"after_id": "claude-3", "before_id": "claude-1"}, "", False),
    ],
)
def test_pages_follow_limit_and_cursors(
    query: dict[str, Any], numbers: str, *, has_more: bool
) -> None:
    page = FIVE.page(**query)

    assert ids(page) == [f"claude-{n}" for n in numbers]
    assert page["has_more"] is has_more
    assert page["first_id"] == (f"claude-{numbers[0]}" if numbers else None)
    assert page["last_id"] == (f"claude-{numbers[-1]}" if numbers else None)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "2.5"},
        {"limit": "many"},
        {"limit": "²"},
        {"limit": "9" * 5000},
        {"after_id": "nobody"},
        {"before_id": "nobody"},
    ],
)
def test_an_impossible_limit_or_cursor_is_refused(query: dict[str, Any]) -> None:
    (parameter,) = query

    with pytest.raises(InvalidRequest, match=parameter) as refusal:
        FIVE.page(**query)

    assert len(str(refusal.value)) < 200


def test_an_unknown_id_is_not_found() -> None:
    with pytest.raises(NotFound, match="nobody"):
        FIVE.entry("nobody")


def test_the_providers_list_shows_owner_and_url_without_credentials() -> None:
    secret_url = "https://user:pass" + "word@api.example:8443/api/anthropic?token=t#f"
    rows = provider_rows(
        [a_provider("z", "GLM-5", type="zai", base_url=secret_url), a_provider("p")], down={"p"}
    )

    assert rows == [
        {
            "name": "z",
            "type": "zhipu",
            "base_url": "https://api.example:8443/api/anthropic",
            "models": ["GLM-5"],
            "active": True,
        },
        {
            "name": "p",
            "type": "anthropic",
            "base_url": "https://api.example",
            "models": [],
            "active": False,
        },
    ]
