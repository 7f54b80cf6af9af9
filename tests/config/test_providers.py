"""The rules of `providers:` and what other sections say about them."""

import pytest

from relay.secret import Secret
from tests.config.conftest import Loading, Refusing
from tests.config.files import a_file

LISTEN = 'server: {listen: "127.0.0.1:0"}\n'


@pytest.mark.parametrize(
    "providers",
    [
        "",
        "providers:",
        "providers: []",
        "providers: [{name: a, type: anthropic, enabled: false}]",
        "providers: [{name: a, type: zai, enabled: 'no'}]",
    ],
)
def test_no_enabled_provider_is_refused_with_the_types(refusing: Refusing, providers: str) -> None:
    assert refusing(LISTEN + providers) == (
        "providers: no enabled provider found (types: anthropic, zai)",
    )


@pytest.mark.parametrize("type_", ["minimax", "ollama", "bedrock", "azure", "vertex", "openai"])
def test_a_type_of_a_later_version_is_refused_when_enabled_and_fine_when_not(
    loading: Loading, refusing: Refusing, type_: str
) -> None:
    text = a_file().rstrip() + f"\n  - {{name: later, type: {type_}, enabled: ENABLED}}"

    (fault,) = refusing(text.replace("ENABLED", "true"))

    assert fault.startswith(f'providers[1].type: this version does not serve "{type_}" yet')
    assert "(it serves: anthropic, zai)" in fault
    assert len(loading(text.replace("ENABLED", "false")).providers) == 1


def test_an_unknown_type_is_refused_with_the_known_ones_also_when_disabled(
    refusing: Refusing,
) -> None:
    faults = refusing(
        a_file().rstrip() + "\n  - {name: a, type: gemini, enabled: false}\n  - {name: b}"
    )

    assert faults[0].startswith('providers[1].type: "gemini" must be one of anthropic, zai, ')
    assert faults[1] == "providers[2].type is required"


@pytest.mark.parametrize("name", ["a/b", "ä", "x" * 65, "a\\tb"])
def test_a_name_that_cannot_stand_in_a_header_is_refused(refusing: Refusing, name: str) -> None:
    (fault,) = refusing(LISTEN + f'providers: [{{name: "{name}", type: anthropic}}]')

    assert fault.startswith("providers[0].name: ")
    assert "printable ASCII characters without /" in fault


def test_a_missing_name_is_required(refusing: Refusing) -> None:
    assert refusing(LISTEN + "providers: [{type: anthropic}, {name: '', type: anthropic}]") == (
        "providers[0].name is required",
        "providers[1].name is required",
    )


def test_a_name_is_given_once_only_also_by_disabled_ones(refusing: Refusing) -> None:
    text = a_file().rstrip() + "\n  - {name: main, type: zai, enabled: false}"

    assert refusing(text) == ("providers[1].name: duplicate provider name: main",)


def test_zai_needs_a_key_and_none_empty(refusing: Refusing) -> None:
    none = LISTEN + "providers: [{name: z, type: zai}]"
    empty = LISTEN + "providers: [{name: z, type: zai, keys: [{key: one}, {key: ''}, {}]}]"

    assert refusing(none) == ('providers[0].keys is required: type "zai" needs at least one key',)
    assert refusing(empty) == (
        "providers[0].keys[1].key is required",
        "providers[0].keys[2].key is required",
    )


def test_two_identical_keys_count_as_one_and_are_warned_about(loading: Loading) -> None:
    config = loading(a_file(provider="keys: [{key: same, weight: 2}, {key: other}, {key: same}]"))

    keys = config.providers[0].keys
    assert [(key.key, key.weight) for key in keys] == [(Secret("same"), 2), (Secret("other"), 1)]
    assert config.warnings == (
        "providers[0].keys[2]: is the same key as keys[0]; they count as one",
    )


def test_a_key_that_no_header_can_carry_is_warned_about(loading: Loading) -> None:
    config = loading(a_file(provider="keys: [{key: 'sk-one '}, {key: \"sk\\ntwo\"}]"))

    assert [warning.partition(":")[0] for warning in config.warnings] == [
        "providers[0].keys[0].key",
        "providers[0].keys[1].key",
    ]
    assert "sk" not in " ".join(config.warnings)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ("base_url: https://gateway.example", 1),
        ("base_url: https://u:p@gateway.example/x", 1),
        ("base_url: https://api.anthropic.com.example", 1),
        ("base_url: https://gateway.example\nauth: configured\nkeys: [{key: k}]", 0),
        ("base_url: https://gateway.example\nauth: passthrough", 0),
        ("base_url: https://API.anthropic.com", 0),
        ("base_url: http://127.0.0.1:9000", 0),
        ("base_url: http://[::1]:9000", 0),
        ("", 0),
    ],
)
def test_tokens_of_clients_that_would_go_to_another_host_are_warned_about(
    loading: Loading, lines: str, count: int
) -> None:
    warnings = loading(a_file(provider=lines)).warnings

    assert len(warnings) == count
    assert all(warning.startswith("providers[0].auth: auto sends") for warning in warnings)
    assert "u:p" not in " ".join(warnings)


def test_configured_without_a_key_is_warned_about(loading: Loading) -> None:
    (warning,) = loading(a_file(provider="auth: configured\nkeys: [{key: ''}]")).warnings

    assert warning.startswith("providers[0].auth: configured, but there is no key")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("auth: own", 'auth: "own" must be one of auto, passthrough, configured'),
        ("priority: 3", "priority: 3 must be at most 2"),
        ("weight: -1", "weight: -1 must be at least 0"),
        ("keys: [{key: a, priority: -1}]", "keys[0].priority: -1 must be at least 0"),
        ("keys: [sk-secret]", "keys[0]: must be a mapping of keys to values"),
        ("keys: sk-secret", "keys: is a string, must be a list"),
        ("keys: [{key: 12345}]", "keys[0].key: is not a string (put it in quotes)"),
        ("models: [a, '']", 'models[1]: "" is not a non-empty string'),
        ("models: a", 'models: "a" is not a list of strings'),
        ("model_mapping: {a: ''}", 'model_mapping.a: "" is not a non-empty string'),
        ("model_mapping: {'': a}", 'model_mapping[""]: the key "" is not a non-empty string'),
        ("model_mapping: {4: a}", "model_mapping.4: the key 4 is not a non-empty string"),
        ("timeouts: {connect_ms: 99}", "timeouts.connect_ms: 99 must be at least 100"),
        ("timeouts: {idle_ms: 999}", "timeouts.idle_ms: 999 must be at least 1000"),
        ("pooling: {enabled: true}", "pooling.enabled: true needs at least one key"),
        ("pooling: {strategy: fair}", 'pooling.strategy: "fair" must be one of least_loaded,'),
        ("base_url: ftp://host", "base_url: must be an http:// or https:// URL"),
        ("proxy: host:1", "proxy: must be an http:// or https:// URL, or env, or empty"),
    ],
)
def test_the_bounds_of_a_provider(refusing: Refusing, lines: str, fault: str) -> None:
    (found,) = refusing(a_file(provider=lines))

    assert found.startswith(f"providers[0].{fault}")
    assert "secret" not in found


def test_names_that_are_no_enabled_provider_are_warned_about(loading: Loading) -> None:
    more = """
        routing: {model_mapping: {claude: other, gpt: main}, default_provider: nobody}
        scenarios: [{name: s, use: {providers: [main, gone]}}]
    """

    warnings = loading(a_file(more=more)).warnings

    assert [warning for warning in warnings if "is no enabled provider" in warning] == [
        'routing.model_mapping.claude: "other" is no enabled provider',
        'routing.default_provider: "nobody" is no enabled provider',
        'scenarios[0].use.providers[1]: "gone" is no enabled provider',
    ]


def test_model_based_needs_a_mapping(refusing: Refusing) -> None:
    assert refusing(a_file(more="routing: {strategy: model_based}")) == (
        "routing.model_mapping: is empty, and strategy model_based needs it",
    )
