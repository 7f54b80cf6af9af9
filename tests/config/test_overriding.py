"""What `serve` puts over the configuration, in every worker and after every reload."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from relay.config.loading import ConfigRefused, load
from relay.config.model import Config
from relay.config.overriding import Overrides, apply, from_environ

FILE = """\
server: {listen: "127.0.0.1:8787", workers: 2}
providers: [{name: one, type: anthropic}]
logging: {level: warn, format: console}
"""


def _config(folder: Path, text: str = FILE) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    return load(path, {"HOME": str(folder)})


def test_without_overrides_nothing_changes(tmp_path: Path) -> None:
    config = _config(tmp_path)

    assert from_environ({}) == {}
    assert apply(config, from_environ({"CC_RELAY_OVERRIDES": "{}"})) == config


def test_each_option_changes_its_setting_alone(tmp_path: Path) -> None:
    config = _config(tmp_path)
    given = Overrides(listen="[::1]:1", workers=0, log_level="error", log_format="json")

    changed = apply(config, from_environ({"CC_RELAY_OVERRIDES": json.dumps(given)}))

    assert changed == replace(
        config,
        server=replace(config.server, listen="[::1]:1", workers=0),
        logging=replace(config.logging, level="error", format="json"),
    )


@pytest.mark.parametrize("format_", ["console", "text", "pretty"])
def test_every_word_for_a_text_log_is_console(tmp_path: Path, format_: str) -> None:
    overrides = from_environ({"CC_RELAY_OVERRIDES": json.dumps({"log_format": format_})})

    assert apply(_config(tmp_path), overrides).logging.format == "console"


def test_debug_sets_the_level_and_three_options(tmp_path: Path) -> None:
    logging = apply(_config(tmp_path), {"debug": True}).logging

    assert (logging.level, logging.format) == ("debug", "console")
    options = logging.debug_options
    assert options.log_request_body
    assert options.log_response_headers
    assert options.log_tls_metrics


def test_an_explicit_level_beside_debug_wins(tmp_path: Path) -> None:
    logging = apply(_config(tmp_path), {"debug": True, "log_level": "info"}).logging

    assert logging.level == "info"
    assert logging.debug_options.log_request_body


@pytest.mark.parametrize("listen", ["0.0.0.0:1", ":1", "[::]:1", "relay.example:1"])
def test_an_address_for_others_is_refused_where_nothing_authenticates(
    tmp_path: Path, listen: str
) -> None:
    with pytest.raises(ConfigRefused, match="nothing authenticates clients"):
        apply(_config(tmp_path), {"listen": listen})


@pytest.mark.parametrize("auth", ["{api_key: secret}", "{allow_bearer: true}"])
def test_an_address_for_others_is_fine_where_clients_are_asked(tmp_path: Path, auth: str) -> None:
    config = _config(tmp_path, FILE.replace("workers: 2", f"auth: {auth}"))

    assert apply(config, {"listen": "0.0.0.0:1"}).server.listen == "0.0.0.0:1"


def test_strangers_do_not_get_the_keys_by_an_address_for_others(tmp_path: Path) -> None:
    config = _config(tmp_path, FILE.replace("workers: 2", "auth: {allow_bearer: true}"))
    assert config.server.auth.any_bearer_uses_keys

    assert not apply(config, {"listen": "0.0.0.0:1"}).server.auth.any_bearer_uses_keys
    assert apply(config, {"listen": "[::1]:1"}).server.auth.any_bearer_uses_keys


def test_several_workers_cannot_share_one_memory(tmp_path: Path) -> None:
    config = _config(tmp_path, FILE.replace("workers: 2", "workers: 1") + "state: {url: 'memory:'}")

    with pytest.raises(ConfigRefused, match="--workers: 2 must be 1"):
        apply(config, {"workers": 2})


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"listen": 1}',
        '{"workers": true}',
        '{"workers": -1}',
        '{"log_level": "loud"}',
        '{"log_format": "xml"}',
        '{"debug": "yes"}',
        '{"unknown": 1}',
    ],
)
def test_a_variable_that_holds_something_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigRefused, match="CC_RELAY_OVERRIDES: "):
        from_environ({"CC_RELAY_OVERRIDES": text})
