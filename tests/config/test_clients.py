"""Sections this version only checks: client keys, prices, scenarios, management, ledger."""

import pytest

from tests.config.conftest import Loading, Refusing
from tests.config.files import a_file

KEY = "{name: n, key: 01234567890123456789"


def test_required_client_keys_are_refused_and_not_ignored(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(more="clients: {required: true}"))

    assert fault.startswith("clients.required: true cannot be kept")
    assert "server.auth.api_key" in fault


def test_client_keys_in_the_file_are_refused_and_not_ignored(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(more=f"clients: {{keys: [{KEY}}}]}}"))

    assert fault.startswith("clients.keys: this version has no client keys")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("clients: {keys: [{name: n, key: short-secret}]}", "keys[0].key: must have 20 characters"),
        ("clients: {keys: [{name: n}]}", "clients.keys[0].key is required"),
        ("clients: {keys: [{name: n, key: $NONE}]}", "keys[0].key is required (NONE is not set)"),
        (f"clients: {{keys: [{KEY}}}, {KEY}}}]}}", 'clients.keys[1].name: "n" is there twice'),
        (f"clients: {{keys: [{KEY}, expires_at: soon}}]}}", '"soon" is not an RFC 3339 time'),
        (f"clients: {{keys: [{KEY}, expires_at: 2027-01-01}}]}}", "2027-01-01 has no time of day"),
        ("clients: {defaults: {budget_period: year}}", "must be one of day, week, month"),
        ("clients: {defaults: {name: x}}", "clients.defaults.name: unknown key"),
        ("pricing: [{input: 1}]", "pricing[0].model is required"),
        ("pricing: [{model: m, input: -1}]", "pricing[0].input: -1 must be between 0 and"),
        ("scenarios: [{use: {model: m}}]", "scenarios[0].name is required"),
        ("scenarios: [{name: s}]", "scenarios[0].use: needs providers, or model, or both"),
        (
            "scenarios: [{name: s, use: {model: m}}, {name: s, use: {model: m}}]",
            'scenarios[1].name: "s" is there twice',
        ),
        ("scenarios: [{name: s, when: {agent: x}}]", '"x" must be one of main, sub'),
        ("management: {grpc: {listen: here}}", 'management.grpc.listen: "here" must be host:port'),
        ("management: {grpc: {enabled: x}}", "is not true, false or auto"),
        ("ledger: {retention_days: -1}", "ledger.retention_days: -1 must be at least 0"),
        ("metrics: {enabled: 2}", "metrics.enabled: 2 is not true or false"),
        ("state: {url: 'mysql://u:pw@host'}", "state.url: must be lmdb:, lmdb:/path, redis://"),
        ("routing: {signatures: {ttl_ms: 1}}", "routing.signatures.ttl_ms: 1 must be at least"),
        ("routing: {queue_ms: 60001}", "routing.queue_ms: 60001 must be at most 60000"),
        ("routing: {gate: {content_ms: 5001}}", "must be at most 5000"),
        ("routing: {max_attempts: 0}", "routing.max_attempts: 0 must be at least 1"),
        ("health: {key_disabled_ms: -1}", "health.key_disabled_ms: -1 must be at least 0"),
    ],
)
def test_the_bounds_of_sections_without_effect(refusing: Refusing, more: str, fault: str) -> None:
    faults = "\n".join(refusing(a_file(more=more)))

    assert fault in faults
    assert "secret" not in faults
    assert "pw" not in faults


def test_a_file_for_a_later_version_loads_with_one_warning_a_setting(loading: Loading) -> None:
    more = """
        routing:
          strategy: cost_based
          hedge_after_ms: 100
          retry_budget: {ratio: 0.5, reserve: 10}
        health: {circuit_breaker: {failure_threshold: 9}}
        state: {url: "redis://:pw@host"}
        metrics: {enabled: false}
        management: {token: admin, http: {enabled: true}, grpc: {enabled: false}}
        ledger: {url: "postgresql://u:pw@host", retention_days: 90}
        clients: {defaults: {rpm_limit: 5, expires_at: 2027-01-01T00:00:00Z}}
        pricing: [{model: "claude*", input: 3, cache_write_5m: 3.75}]
        scenarios: [{name: s, when: {thinking: true}, use: {model: m}}]
    """
    provider = """
        drop_betas: ["x-*"]
        signature_family: mine
        keys: [{key: a, rpm_limit: 5, tpm_limit: 0}]
        pooling: {strategy: least_loaded}
    """

    warnings = loading(a_file(provider=provider, more=more)).warnings

    ending = ": has no effect in this version yet"
    assert all(warning.endswith(ending) for warning in warnings)
    assert [warning.removesuffix(ending) for warning in warnings] == [
        "routing.strategy",
        "providers[0].drop_betas",
        "metrics.enabled",
        "management.token",
        "management.grpc.enabled",
        "ledger.url",
        "clients.defaults.rpm_limit",
        "clients.defaults.expires_at",
        "pricing",
    ]


def test_what_has_its_effect_or_its_default_gives_no_warning(loading: Loading) -> None:
    more = """
        routing: {strategy: failover, queue_size: 100, debug: true, gate: {content_ms: 0}}
        state: {url: "lmdb:"}
        clients: {required: false, keys: []}
    """

    config = loading(a_file(provider="pooling: {strategy: round_robin}", more=more))

    assert config.warnings == ()
    assert config.providers[0].pooling.strategy == "round_robin"
