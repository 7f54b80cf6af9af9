"""Who may connect where: `server.listen` against `server.auth`."""

import pytest

from relay.config.model import AuthConfig
from relay.secret import Secret
from tests.config.conftest import Loading, Refusing
from tests.config.files import a_file

EVERYWHERE = 'listen: "0.0.0.0:8787"\n'


@pytest.mark.parametrize("address", ["0.0.0.0:1", ":1", "[::]:1", "10.0.0.1:1", "relay.example:1"])
def test_an_open_address_without_authentication_is_refused_with_the_ways_out(
    refusing: Refusing, address: str
) -> None:
    (fault,) = refusing(a_file(server=f'listen: "{address}"'))

    assert fault.startswith(f'server.listen: "{address}" is not a loopback address')
    for way_out in ("auth.api_key", "bearer_secret", "127.0.0.1", "allow_anonymous"):
        assert way_out in fault


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"])
def test_a_loopback_address_needs_no_authentication(loading: Loading, address: str) -> None:
    assert loading(a_file(server=f'listen: "{address}"')).server.listen == address


@pytest.mark.parametrize(
    "auth",
    [
        "auth: {api_key: secret}",
        "api_key: secret",
        "auth: {allow_bearer: true, bearer_secret: secret}",
        "auth: {allow_subscription: true}",
    ],
)
def test_an_open_address_with_authentication_is_served(loading: Loading, auth: str) -> None:
    config = loading(a_file(server=EVERYWHERE + auth))

    assert config.server.auth.any_bearer_uses_keys is False
    assert config.warnings == ()


def test_an_open_address_may_be_asked_for_with_a_warning(loading: Loading) -> None:
    config = loading(a_file(server=f"{EVERYWHERE}auth: {{allow_anonymous: true}}"))

    assert config.server.auth.allow_anonymous is True
    assert config.warnings == (
        "server.auth.allow_anonymous: everybody who can reach the address may spend your keys",
    )


def test_an_unset_api_key_does_not_open_the_address(refusing: Refusing) -> None:
    (fault,) = refusing(a_file(server=f"{EVERYWHERE}auth: {{api_key: $RELAY_KEY}}"))

    assert fault.endswith("(RELAY_KEY is not set)")


def test_an_unset_api_key_on_loopback_is_warned_about(loading: Loading) -> None:
    config = loading(a_file(server="auth: {api_key: $RELAY_KEY}"))

    assert config.warnings == (
        "server.auth.api_key: RELAY_KEY is not set, so no client is asked for a key",
    )


def test_an_unset_bearer_secret_is_warned_about(loading: Loading) -> None:
    config = loading(a_file(server="auth: {allow_bearer: true, bearer_secret: $TOKEN}"))

    assert config.warnings[0] == (
        "server.auth.bearer_secret: TOKEN is not set, so any bearer token is admitted"
    )


def test_a_bearer_secret_that_nobody_looks_at_is_warned_about(loading: Loading) -> None:
    config = loading(a_file(server="auth: {bearer_secret: secret}"))

    assert config.warnings == (
        "server.auth.bearer_secret: is not looked at, because allow_bearer is false",
    )


def test_strangers_with_our_keys_on_an_open_address_are_warned_about(loading: Loading) -> None:
    auth = "auth: {allow_bearer: true, any_bearer_uses_keys: true}"

    config = loading(a_file(server=EVERYWHERE + auth))

    assert config.server.auth.any_bearer_uses_keys is True
    assert "with any made-up token" in config.warnings[0]


def test_both_names_of_the_bearer_switch_are_one(loading: Loading) -> None:
    auth = loading(a_file(server="auth: {allow_subscription: 'yes'}")).server.auth

    assert auth == AuthConfig(
        Secret(""), Secret(""), allow_bearer=True, any_bearer_uses_keys=True, allow_anonymous=False
    )


def test_strangers_may_be_kept_from_our_keys_on_loopback_too(loading: Loading) -> None:
    config = loading(a_file(server="auth: {any_bearer_uses_keys: false}"))

    assert config.server.auth.any_bearer_uses_keys is False


def test_workers_cannot_share_a_store_in_memory(loading: Loading, refusing: Refusing) -> None:
    more = "state: {url: 'memory:'}"

    assert loading(a_file(server="workers: 1", more=more)).state.url == Secret("memory:")
    assert refusing(a_file(server="workers: 2", more=more))[0].startswith("server.workers: 2 must")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("timeout_ms: 86400001", "server.timeout_ms: 86400001 must be at most 86400000"),
        ("body_timeout_ms: 999", "server.body_timeout_ms: 999 must be at least 1000"),
        ("write_timeout_ms: 999", "server.write_timeout_ms: 999 must be at least 1000"),
        ("ping_interval_ms: 60001", "server.ping_interval_ms: 60001 must be at most 60000"),
        ("max_concurrent: -1", "server.max_concurrent: -1 must be at least 0"),
        ("max_body_bytes: -1", "server.max_body_bytes: -1 must be at least 0"),
        (
            "stream_failure: end",
            'server.stream_failure: "end" must be one of auto, cut, event',
        ),
        (
            "auth: {any_bearer_uses_keys: maybe}",
            'server.auth.any_bearer_uses_keys: "maybe" is not true, false or auto',
        ),
    ],
)
def test_the_bounds_of_the_server(refusing: Refusing, line: str, fault: str) -> None:
    assert refusing(a_file(server=line)) == (fault,)


def test_a_missing_listen_address_is_required(refusing: Refusing) -> None:
    provider = "providers: [{name: a, type: anthropic}]"

    assert refusing(f"{provider}\n") == ("server.listen is required",)
    assert refusing(f"server: {{}}\n{provider}") == ("server.listen is required",)
    assert refusing(f"server: {{listen: ''}}\n{provider}") == ("server.listen is required",)
