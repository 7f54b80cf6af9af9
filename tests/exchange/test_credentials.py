"""Which credential an upstream gets, and what of the client's never arrives (behaviour 5.2)."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.exchange.conftest import Drive
from tests.scripted.answers import says_error
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.upstream import Upstream

X, BEARER = "x-api-key", "authorization"
PLACEHOLDER = "managed-by-cc-relay"
NONE: Mapping[str, str] = {}
OURS = {X: "ours"}
BOTH = {X: "ck", BEARER: "Bearer ct"}

CLIENTS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    # what is sent, and what of it is the client's own
    "nothing": (NONE, NONE),
    "a key": ({X: "ck"}, {X: "ck"}),
    "a token": ({BEARER: "Bearer ct"}, {BEARER: "Bearer ct"}),
    "a Basic": ({BEARER: "Basic Zm9v"}, {BEARER: "Basic Zm9v"}),
    "both": (BOTH, BOTH),
    "the placeholder": ({BEARER: f"Bearer {PLACEHOLDER}"}, NONE),
    "the placeholder and a key": ({BEARER: f"Bearer {PLACEHOLDER}", X: "ck"}, {X: "ck"}),
    "an empty key": ({X: ""}, NONE),
}
# provider settings, its keys, what goes out with an own credential (None: that), what without
MODES: Mapping[
    str, tuple[Mapping[str, Any], list[str], Mapping[str, str] | None, Mapping[str, str]]
] = {
    "anthropic auto": ({"type": "anthropic"}, ["ours"], None, OURS),
    "anthropic auto, no key": ({"type": "anthropic"}, [], None, NONE),
    "anthropic auto, empty key": ({"type": "anthropic"}, [""], None, NONE),
    "anthropic passthrough": ({"type": "anthropic", "auth": "passthrough"}, ["ours"], None, NONE),
    "anthropic configured": ({"type": "anthropic", "auth": "configured"}, ["ours"], OURS, OURS),
    "zai auto": ({"type": "zai"}, ["ours"], OURS, OURS),
    "zai passthrough": ({"type": "zai", "auth": "passthrough"}, ["ours"], None, NONE),
    "zai configured": ({"type": "zai", "auth": "configured"}, ["ours"], OURS, OURS),
}


def credentials(request: Recorded) -> Mapping[str, str]:
    sent = {name: request.header(name) for name in (X, BEARER)}
    return {name: value for name, value in sent.items() if value is not None}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("who", CLIENTS)
def test_the_table_of_credentials(drive: Drive, a: Upstream, mode: str, who: str) -> None:
    settings, keys, beside_own, alone = MODES[mode]
    sent, own = CLIENTS[who]
    driven = drive(config(provider("p", a, *keys, **settings)))

    assert driven.ask(headers=sent).status == 200

    expected = alone if not own else own if beside_own is None else beside_own
    assert credentials(a.only()) == expected


@pytest.mark.parametrize("type", ["anthropic", "zai"])
@pytest.mark.parametrize(
    "sent",
    [{X: "relay-key"}, {BEARER: "Bearer relay-key"}, {X: "relay-key", BEARER: "bearer  relay-key"}],
)
def test_the_relay_s_own_key_never_leaves_it(
    drive: Drive, a: Upstream, type: str, sent: Mapping[str, str]
) -> None:
    server = {"auth": {"api_key": "relay-key"}}
    driven = drive(config(provider("p", a, "ours", type=type), server=server))

    assert driven.ask(headers=sent).status == 200

    assert credentials(a.only()) == OURS
    assert "relay-key" not in a.only().text()


def test_failover_judges_the_client_s_credential_anew_for_each_provider(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(config(provider("A", a, "ka", priority=2), provider("Z", b, "kz", type="zai")))
    a.says(says_error(503, "overloaded_error"))

    assert driven.ask(headers=BOTH).status == 200

    assert credentials(a.only()) == BOTH
    assert credentials(b.only()) == {X: "kz"}
    assert "ck" not in b.only().text()
    assert "ct" not in str(b.only().headers)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("settings", "keys", "sent"),
    [
        ({"type": "anthropic"}, ["ours"], {X: "ck"}),
        ({"type": "anthropic"}, [], NONE),
        ({"type": "zai", "auth": "passthrough"}, ["ours"], NONE),
    ],
)
def test_a_refusal_of_what_is_not_ours_is_relayed(
    drive: Drive,
    a: Upstream,
    *,
    status: int,
    settings: Mapping[str, Any],
    keys: list[str],
    sent: Mapping[str, str],
) -> None:
    driven = drive(config(provider("p", a, *keys, **settings)))
    a.says(says_error(status, "authentication_error", "upstream's own words"))

    served = driven.ask(headers=sent)

    assert served.status == status
    assert served.json()["error"]["message"] == "upstream's own words"


def test_a_url_with_user_and_password_becomes_basic_upstream_and_nothing_else(
    drive: Drive, a: Upstream
) -> None:
    url = f"http://us%40er:p%3Aw%20%C3%A9@127.0.0.1:{a.port}/base/"
    driven = drive(config(provider("p", url, "ours")))

    served = driven.ask()

    assert a.only().target == "/base/v1/messages"
    assert a.only().header(BEARER) == "Basic dXNAZXI6cDp3IMOp"
    assert a.only().header(X) == "ours"
    assert a.only().header("host") == f"127.0.0.1:{a.port}"
    shown = repr(driven.runtime.means.upstreams) + str(served.headers) + served.content.decode()
    assert "p:w" not in shown
    assert "p%3Aw" not in shown
    assert "dXNAZXI6cDp3IMOp" not in shown


def test_the_client_s_own_authorization_wins_over_the_url_s(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("p", f"http://u:p@127.0.0.1:{a.port}", "ours")))

    driven.ask(headers={BEARER: "Bearer ct"})

    assert credentials(a.only()) == {BEARER: "Bearer ct"}


def test_an_error_names_no_password_of_the_url(drive: Drive, closed_port: str) -> None:
    url = closed_port.replace("://", "://user:pass-word@")
    driven = drive(config(provider("p", url, "ours")))

    with pytest.raises(Exception, match="p: ") as raised:
        driven.ask()

    assert "pass-word" not in str(raised.value)
    assert "user" not in str(raised.value)
