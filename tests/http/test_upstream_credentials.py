"""Which credential goes upstream (A.3: 29, 30; A.4: 31 to 35, 38; the table of behaviour 5.2)."""

from collections.abc import Callable, Mapping

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.answers import says_error
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

PLACEHOLDER = "managed-by-cc-relay"
X, BEARER = "x-api-key", "authorization"

CLIENTS: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    # what the client sends, and what of it is its own
    "nothing": ({}, {}),
    "a key": ({X: "ck"}, {X: "ck"}),
    "a token": ({BEARER: "Bearer ct"}, {BEARER: "Bearer ct"}),
    "both": ({X: "ck", BEARER: "Bearer ct"}, {X: "ck", BEARER: "Bearer ct"}),
    "both the same": ({X: "c", BEARER: "Bearer c"}, {X: "c", BEARER: "Bearer c"}),
    "the placeholder": ({BEARER: f"Bearer {PLACEHOLDER}"}, {}),
    "the placeholder as key": ({X: PLACEHOLDER}, {}),
    "the placeholder and a key": ({BEARER: f"bearer {PLACEHOLDER}", X: "ck"}, {X: "ck"}),
    "the relay's key": ({X: "relay-secret"}, {}),
    "the relay's key as token": ({BEARER: "Bearer relay-secret"}, {}),
    "the relay's key in both": ({X: "relay-secret", BEARER: "Bearer relay-secret"}, {}),
    "the relay's key and a token": (
        {X: "relay-secret", BEARER: "Bearer ct"},
        {BEARER: "Bearer ct"},
    ),
}
OURS = {X: "configured"}

MODES: Mapping[str, tuple[dict[str, object], str, dict[str, str] | None, dict[str, str]]] = {
    # settings, configured key, what goes out beside an own credential (None: that one), and alone
    "anthropic, auto": ({"type": "anthropic"}, "configured", None, OURS),
    "anthropic, auto, empty key": ({"type": "anthropic"}, "", None, {}),
    "anthropic, passthrough": (
        {"type": "anthropic", "auth": "passthrough"},
        "configured",
        None,
        {},
    ),
    "anthropic, configured": (
        {"type": "anthropic", "auth": "configured"},
        "configured",
        OURS,
        OURS,
    ),
    "zai, auto": ({"type": "zai"}, "configured", OURS, OURS),
    "zai, passthrough": ({"type": "zai", "auth": "passthrough"}, "configured", None, {}),
}


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", plain_upstream, "k1")))


def _credentials(request: Recorded) -> dict[str, str]:
    sent = {name: request.header(name) for name in (X, BEARER)}
    return {name: value for name, value in sent.items() if value is not None}


@pytest.mark.parametrize("mode", MODES)
def test_the_table_of_credentials(relay: Relay, plain_upstream: Upstream, mode: str) -> None:
    settings, key, beside_own, alone = MODES[mode]
    # One secret and any token: every client but the one with nothing is admitted.
    server = {"auth": {"api_key": "relay-secret", "allow_bearer": True}}
    entry = provider("p", plain_upstream, key, **settings)  # type: ignore[arg-type]  # settings are free
    seen: dict[str, dict[str, str]] = {}
    expected: dict[str, dict[str, str]] = {}
    for auth, who in ({}, True), (server, False):
        relay.reload(config(entry, server=auth), {X: "relay-secret"})
        for client, (sent, own) in CLIENTS.items():
            admitted_by_secret = "relay-secret" in str(sent)
            if admitted_by_secret is who:
                continue  # without the secret configured it is an ordinary key, and the reverse
            plain_upstream.forget()
            assert relay.post(headers=sent).status == 200, client
            seen[client] = _credentials(plain_upstream.only())
            expected[client] = (own if beside_own is None else beside_own) if own else alone
    assert seen == expected
    assert set(seen) == set(CLIENTS)


def test_no_secret_of_the_relay_is_anywhere_upstream(
    relay: Relay, plain_upstream: Upstream
) -> None:
    server = {"auth": {"api_key": "relay-secret", "allow_bearer": True, "bearer_secret": "tok-en"}}
    relay.reload(config(provider("p", plain_upstream, "k1"), server=server), {X: "relay-secret"})
    for sent in (
        {X: "relay-secret"},
        {BEARER: "Bearer relay-secret"},
        {X: "relay-secret", BEARER: "Bearer tok-en"},
        {X: "tok-en", BEARER: f"Bearer {PLACEHOLDER}"},
        {X: "relay-secret", BEARER: "relay-secret"},
    ):
        assert relay.post(headers=sent).status == 200, sent
    for request in plain_upstream.requests:
        text = request.text()
        assert not [word for word in ("relay-secret", "tok-en", PLACEHOLDER) if word in text]
        assert request.header(X) == "k1"


def test_key_headers_stand_only_beside_a_configured_key(
    relay: Relay, plain_upstream: Upstream
) -> None:
    keys = ("first", "second")
    debug = {"debug": True}
    relay.reload(config(provider("p", plain_upstream, *keys), routing=debug))
    with_own = relay.post(headers={X: "ck"})
    assert with_own.header("x-cc-relay-provider") == "p"
    assert not [name for name, _ in with_own.headers if name.lower().startswith("x-cc-relay-key")]
    with_ours = relay.post()
    assert with_ours.header("x-cc-relay-key-id") in ("p/0", "p/1")
    assert with_ours.header("x-cc-relay-keys-total") == "2"
    assert with_ours.header("x-cc-relay-keys-available") == "2"


def test_an_own_credential_knows_no_limits_of_our_keys(
    relay: Relay, plain_upstream: Upstream
) -> None:
    entry = provider("p", plain_upstream)
    entry["keys"] = [{"key": "limited-1", "rpm_limit": 2}, {"key": "limited-2", "rpm_limit": 2}]
    relay.reload(config(entry, routing={"debug": True}))
    for _ in range(10):
        answer = relay.post(headers={BEARER: "Bearer ct"})
        assert answer.status == 200
        assert not [name for name, _ in answer.headers if name.lower().startswith("x-cc-relay-key")]
    assert all(_credentials(sent) == {BEARER: "Bearer ct"} for sent in plain_upstream.requests)
    assert relay.post().header("x-cc-relay-keys-available") == "2"  # none was used


def test_zai_uses_a_configured_key_whatever_the_client_sends(
    relay: Relay, plain_upstream: Upstream
) -> None:
    entry = provider("z", plain_upstream, "first", "second", type="zai")
    relay.reload(config(entry, routing={"debug": True}))
    answer = relay.post(headers={BEARER: "Bearer ct"})
    assert plain_upstream.only().header(X) in ("first", "second")
    assert plain_upstream.only().header(BEARER) is None
    assert (answer.header("x-cc-relay-key-id") or "").startswith("z/")


@pytest.mark.parametrize("status", [401, 403, 429])
def test_an_own_credential_never_touches_the_configured_keys(
    relay: Relay, plain_upstream: Upstream, status: int
) -> None:
    relay.reload(config(provider("p", plain_upstream, "k1")))
    plain_upstream.answers_with(says_error(status, "some_error", headers={"retry-after": "30"}))
    for _ in range(4):
        answer = relay.post(headers={BEARER: "Bearer ct"})
        assert answer.status == status
        assert answer.json()["error"]["message"] == "scripted"
    assert len(plain_upstream.requests) == 4
    plain_upstream.forget()
    assert relay.post().status == 200
    assert plain_upstream.only().header(X) == "k1"


@pytest.mark.parametrize("setting", [False, True, "auto"])
def test_a_stranger_spends_configured_keys_only_where_that_is_allowed(
    relay: Relay,
    plain_upstream: Upstream,
    start_upstream: Callable[[], Upstream],
    setting: bool | str,  # noqa: FBT001  a value of the configuration
) -> None:
    zai = start_upstream()
    auth = {"allow_subscription": True, "any_bearer_uses_keys": setting}
    settings = config(
        provider("a", plain_upstream, priority=2),
        provider("z", zai, "zk", type="zai", priority=1),
        server={"auth": auth},
    )
    stranger = {BEARER: "Bearer st"}
    relay.reload(settings, stranger)
    assert relay.post(headers=stranger).status == 200
    assert zai.accepted == 0
    plain_upstream.answers_with(says_error(503, "overloaded_error"))
    answer = relay.post(headers=stranger)
    if setting is False:
        assert answer.status == 503
        assert answer.json()["error"]["message"] == "scripted"
        assert zai.accepted == 0
    else:
        assert answer.status == 200
        assert _credentials(zai.only()) == {X: "zk"}
        assert "st" not in (zai.only().header(BEARER) or "")


def test_a_stranger_with_nobody_to_go_to_is_told_so(relay: Relay, plain_upstream: Upstream) -> None:
    auth = {"allow_subscription": True, "any_bearer_uses_keys": False}
    stranger = {BEARER: "Bearer st"}
    entry = provider("z", plain_upstream, "zk", type="zai")
    relay.reload(config(entry, server={"auth": auth}), stranger)
    answer = relay.post(headers=stranger)
    assert answer.status == 403
    assert answer.error()[0] == "permission_error"
    assert answer.header("x-should-retry") == "false"
    assert plain_upstream.accepted == 0


def test_the_placeholder_is_no_token_where_strangers_use_no_keys(
    relay: Relay, plain_upstream: Upstream
) -> None:
    auth: dict[str, object] = {"allow_subscription": True, "any_bearer_uses_keys": False}
    entry = provider("p", plain_upstream, "k1")
    placeholder = {BEARER: f"Bearer {PLACEHOLDER}"}
    relay.reload(config(entry, server={"auth": auth}), {BEARER: "Bearer st"})
    refused = relay.post(headers=placeholder)
    assert refused.status == 401
    message = refused.error()[1]
    assert "any_bearer_uses_keys" in message
    assert plain_upstream.accepted == 0
    relay.reload(
        config(entry, server={"auth": auth | {"any_bearer_uses_keys": True}}),
        {BEARER: "Bearer st"},
    )
    assert relay.post(headers=placeholder).status == 200
    assert _credentials(plain_upstream.only()) == {X: "k1"}


def test_other_endpoints_get_the_same_credentials(relay: Relay, plain_upstream: Upstream) -> None:
    auth = {"api_key": "relay-secret", "allow_bearer": True}
    seen: dict[str, dict[str, str]] = {}
    for server in ({}, {"auth": auth}):
        relay.reload(
            config(provider("p", plain_upstream, "k1"), server=server), {X: "relay-secret"}
        )
        for client, (sent, _) in CLIENTS.items():
            if ("relay-secret" in str(sent)) is bool(server):
                plain_upstream.forget()
                assert relay.get("/v1/files", sent).status == 200, client
                seen[client] = _credentials(plain_upstream.only())
    assert seen == {client: own or {X: "k1"} for client, (_, own) in CLIENTS.items()}
