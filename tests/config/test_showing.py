"""Showing: everything that is in force, nothing that is secret."""

import json
from pathlib import Path

import yaml

from relay.config.loading import load
from relay.config.showing import effective
from tests.config.conftest import Loading
from tests.config.files import MINIMAL, a_file


def test_no_secret_is_shown(loading: Loading) -> None:
    config = loading(
        a_file(
            server="auth: {api_key: s3cret-a, bearer_secret: s3cret-b, allow_bearer: true}",
            provider="""
                base_url: https://user:s3cret-c@gateway.example/x
                proxy: http://user:s3cret-d@proxy:3128
                keys: [{key: s3cret-e}]
            """,
            more="state: {url: 'redis://:s3cret-f@host'}",
        )
    )

    shown = json.dumps(effective(config))

    assert "s3cret" not in shown
    assert shown.count("********") == 4
    assert "redis://********" in shown
    assert "https://gateway.example/x" in shown
    assert "http://proxy:3128" in shown
    assert "s3cret" not in repr(config)


def test_every_default_is_filled_in(loading: Loading) -> None:
    shown = effective(loading(MINIMAL))

    sections = ["server", "routing", "providers", "health", "logging", "state", "scenarios"]
    assert list(shown) == sections
    assert isinstance(shown["server"], dict)
    assert shown["server"]["drain_ms"] == 30_000
    assert isinstance(shown["providers"], list)
    assert shown["providers"][0]["base_url"] == "https://api.anthropic.com"
    assert shown["server"]["auth"]["api_key"] == ""


def test_what_is_shown_loads_as_the_same_configuration(loading: Loading, tmp_path: Path) -> None:
    rules = "scenarios: [{name: s, when: {headers: {X-App: cli}}, use: {providers: [main]}}]"
    shown = effective(
        loading(a_file(provider="model_mapping: {a*: b}\nkeys: [{key: one}]", more=rules))
    )

    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(shown))

    assert effective(load(path, {})) == shown
