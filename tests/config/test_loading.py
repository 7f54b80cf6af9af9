"""Loading: defaults, what is resolved, all faults at once, where the file is looked for."""

from pathlib import Path
from typing import Any

import pytest

from relay.config.model import KeyConfig
from relay.secret import Secret
from tests.config.conftest import Loading, Refusing
from tests.config.files import MINIMAL, a_file


def test_a_minimal_file_gets_every_default(loading: Loading) -> None:
    config = loading(MINIMAL, {"HOME": "/home/nobody"})

    assert config.server.timeout_ms == 600_000
    assert config.server.max_body_bytes == 33_554_432
    assert config.server.stream_failure == "auto"
    assert config.server.auth.any_bearer_uses_keys is True
    assert config.routing.strategy == "failover"
    assert config.routing.gate.content_ms == 200
    assert config.health.cooldown.default_ms == 60_000
    assert config.logging.level == "info"
    assert config.state.dir == Path("/home/nobody/.local/state/cc-relay")
    assert config.warnings == ()


def test_what_a_provider_leaves_open_is_resolved(loading: Loading) -> None:
    text = a_file(
        server="timeout_ms: 7000",
        provider="""
            base_url: https://api.anthropic.com/
            timeouts: {idle_ms: 2000}
            keys:
              - {key: one, priority: 2, weight: 5}
              - {key: two}
        """,
    )

    (provider,) = loading(text).providers

    assert provider.base_url == Secret("https://api.anthropic.com")
    assert (provider.priority, provider.weight) == (2, 5)
    assert (provider.timeouts.first_byte_ms, provider.timeouts.idle_ms) == (7000, 2000)
    assert (provider.pooling.strategy, provider.pooling.enabled) == ("least_loaded", True)
    assert provider.models[0].startswith("claude-")


def test_what_a_provider_says_itself_wins_over_its_keys(loading: Loading) -> None:
    text = a_file(
        provider="""
            priority: 0
            weight: 3
            models: [my-model]
            pooling: {enabled: false}
            keys: [{key: one, priority: 2}, {key: two}]
        """
    )

    (provider,) = loading(text).providers

    assert (provider.priority, provider.weight) == (0, 3)
    assert provider.models == ("my-model",)
    assert provider.pooling.enabled is False


def test_a_zero_stands_for_the_default_where_the_reference_says_so(loading: Loading) -> None:
    text = a_file(
        server="timeout_ms: 0",
        more="""
            routing: {failover_timeout: 0}
            health: {circuit_breaker: {failure_threshold: 0}}
            logging: {debug_options: {max_body_log_size: 0}}
        """,
    )

    config = loading(text)

    assert config.server.timeout_ms == 600_000
    assert config.routing.failover_timeout == 5000
    assert config.health.circuit_breaker.failure_threshold == 5
    assert config.logging.debug_options.max_body_log_size == 1000


def test_the_older_place_of_the_api_key_counts_where_the_newer_is_empty(loading: Loading) -> None:
    older = loading(a_file(server="api_key: old"))
    both = loading(a_file(server="api_key: old\nauth: {api_key: new}"))

    assert older.server.auth.api_key == Secret("old")
    assert both.server.auth.api_key == Secret("new")


def test_three_faults_come_together_each_with_its_path(refusing: Refusing) -> None:
    text = a_file(
        server="drain_ms: -1",
        provider="""
            keys:
              - key: one
                rpm_limit: -5
        """,
        more="""
            routing: {strategy: randomly}
        """,
    )

    faults = refusing(text)

    assert len(faults) == 3
    assert faults[0] == "server.drain_ms: -1 must be at least 0"
    assert faults[1].startswith('routing.strategy: "randomly" must be one of failover, round_robin')
    assert faults[2] == "providers[0].keys[0].rpm_limit: -5 must be at least 0"


def test_faults_across_keys_come_with_the_faults_of_single_keys(refusing: Refusing) -> None:
    text = """
        server: {listen: "0.0.0.0:80", workers: -1}
        providers:
          - {name: one, type: anthropic, enabled: perhaps}
          - {name: one, type: zai}
    """

    faults = "\n".join(refusing(text))

    assert "server.workers: -1 must be at least 0" in faults
    assert 'server.listen: "0.0.0.0:80" is not a loopback address' in faults
    assert 'providers[0].enabled: "perhaps" is not true or false' in faults
    assert "providers[1].name: duplicate provider name: one" in faults
    assert "providers[1].keys is required" in faults


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("server: {listen: 8787}", "server.listen: 8787 is not a string (put it in quotes)"),
        ("server: {listen: x:1, workers: two}", 'server.workers: "two" is not a whole number'),
        ("server: {listen: x:1, workers: 1.5}", "server.workers: 1.5 is not a whole number"),
        ("server: {listen: x:1, workers: true}", "server.workers: true is not a whole number"),
        ("server: {listen: x:1, workers: [1]}", "server.workers: a list is not a whole number"),
        ("server: here", "server: must be a mapping of keys to values"),
        ("providers: {name: x}", "providers: is a mapping, must be a list"),
        ("providers: [text]", "providers[0]: must be a mapping of keys to values"),
        ("routing: {debug: 1}", "routing.debug: 1 is not true or false"),
        ("routing: {retry_budget: {ratio: much}}", 'retry_budget.ratio: "much" is not a number'),
        ("routing: {retry_budget: {ratio: .nan}}", "retry_budget.ratio: nan must be between 0"),
        ("routing: {model_mapping: [a]}", "a list is not a map of strings to strings"),
        (
            "routing: {model_mapping: {a.b: 1}}",
            'routing.model_mapping["a.b"]: 1 is not a non-empty',
        ),
        ("logging: {level: 2}", "logging.level: 2 must be one of debug, info, warn, error"),
        ("health: {cooldown: {max_ms: 999999999999999}}", "must be at most 315360000000"),
    ],
)
def test_a_wrong_type_is_told_with_path_value_and_what_is_expected(
    refusing: Refusing, more: str, fault: str
) -> None:
    assert fault in "\n".join(refusing(more))


def test_an_unknown_key_is_refused_with_the_nearest_known_one(refusing: Refusing) -> None:
    faults = refusing(a_file(server="max_body_byte: 1", more="loging: {}"))

    assert 'server.max_body_byte: unknown key, did you mean "max_body_bytes"?' in faults
    assert 'loging: unknown key, did you mean "logging"?' in faults


def test_an_unknown_key_near_to_none_is_refused_with_all_that_are_known(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(more="state: {qqqq: 1}"))

    assert fault == "state.qqqq: unknown key (known here: dir, url)"


def test_a_key_without_a_value_counts_as_not_given(loading: Loading) -> None:
    config = loading(a_file(server="auth:\ndrain_ms:", provider="keys:", more="logging:"))

    assert config.server.drain_ms == 30_000
    assert config.providers[0].keys == ()


def test_the_same_content_in_yaml_yml_and_toml_is_the_same(loading: Loading) -> None:
    toml = """
        [server]
        listen = "127.0.0.1:8787"
        [[providers]]
        name = "main"
        type = "anthropic"
        keys = [{key = "sk-one"}]
    """

    configs: list[Any] = [
        loading(MINIMAL, {}, "config.yaml"),
        loading(MINIMAL, {}, "config.YML"),
        loading(toml, {}, "config.toml"),
    ]

    assert configs[0].providers == configs[1].providers == configs[2].providers
    assert configs[0].server == configs[1].server == configs[2].server


def test_keys_keep_their_order_and_their_limits(loading: Loading) -> None:
    config = loading(a_file(provider="keys: [{key: one, rpm_limit: 5}, {key: two, weight: 2}]"))

    assert config.providers[0].keys == (
        KeyConfig(Secret("one"), 5, 0, 0, 0, 0, 1),
        KeyConfig(Secret("two"), 0, 0, 0, 0, 0, 2),
    )


def test_a_relative_path_is_taken_from_the_folder_of_the_file(
    loading: Loading, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("")

    config = loading(
        a_file(provider="ca_file: ca.pem", more="logging: {output: r.log}\nstate: {dir: state}")
    )

    assert config.providers[0].ca_file == str(tmp_path / "ca.pem")
    assert config.logging.output == str(tmp_path / "r.log")
    assert config.state.dir == tmp_path / "state"
    assert not config.state.dir.exists()


def test_the_state_folder_may_come_from_the_environment(loading: Loading) -> None:
    chosen = loading(MINIMAL, {"CC_RELAY_STATE_DIR": "/var/lib/x", "XDG_STATE_HOME": "/other"})
    xdg = loading(MINIMAL, {"XDG_STATE_HOME": "/other", "HOME": "/home/nobody"})

    assert chosen.state.dir == Path("/var/lib/x")
    assert xdg.state.dir == Path("/other/cc-relay")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("logging: {output: nowhere/relay.log}", "lies in a folder that does not exist"),
        ("logging: {output: .}", "is a folder"),
        ("state: {dir: config.yaml}", "is no folder"),
    ],
)
def test_a_path_that_cannot_be_used_is_refused(refusing: Refusing, more: str, fault: str) -> None:
    assert fault in "\n".join(refusing(a_file(more=more)))


def test_a_missing_ca_file_is_refused(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(provider="ca_file: nothing.pem"))

    assert fault.startswith("providers[0].ca_file: ")
    assert fault.endswith("cannot be read")


@pytest.mark.parametrize("word", ["text", "pretty", "console", "PRETTY"])
def test_other_words_for_the_console_format_are_read_as_console(
    loading: Loading, word: str
) -> None:
    assert loading(a_file(more=f"logging: {{format: {word}}}")).logging.format == "console"


def test_pretty_counts_where_no_format_is_given(loading: Loading) -> None:
    pretty = loading(a_file(more="logging: {pretty: true, level: WARN}")).logging
    json = loading(a_file(more="logging: {pretty: true, format: json}")).logging

    assert (pretty.format, pretty.level) == ("console", "warn")
    assert json.format == "json"
