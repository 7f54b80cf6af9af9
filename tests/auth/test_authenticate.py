"""Who is admitted, what refusals say, and which credentials stay the client's own."""

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.clients.authenticate import Client, Gatekeeper
from relay.clients.credential import PLACEHOLDER
from relay.config.model import AuthConfig
from relay.errors import Unauthenticated
from relay.secret import Secret


def auth(
    api_key: str = "", bearer: str = "", *, allow_bearer: bool = False, strangers: bool = False
) -> AuthConfig:
    return AuthConfig(
        api_key=Secret(api_key),
        bearer_secret=Secret(bearer),
        allow_bearer=allow_bearer,
        any_bearer_uses_keys=strangers,
    )


OPEN = auth()
KEY = auth("akey")
BEARER = auth(bearer="bsec", allow_bearer=True)
BOTH = auth("akey", "bsec", allow_bearer=True)
ANY = auth(allow_bearer=True)
ANY_LOCAL = auth(allow_bearer=True, strangers=True)
KEY_AND_ANY = auth("akey", allow_bearer=True)


@dataclass
class Admitted:
    headers: dict[str, str]
    own: dict[str, str] = field(default_factory=dict)
    any_token: bool = False
    may_use_keys: bool = True


def bearer(token: str, scheme: str = "Bearer ") -> dict[str, str]:
    return {"authorization": f"{scheme}{token}"}


def x_key(key: str) -> dict[str, str]:
    return {"x-api-key": key}


ADMITTED = [
    (OPEN, Admitted({})),
    (OPEN, Admitted(x_key("ck"), own=x_key("ck"))),
    (OPEN, Admitted(bearer("t") | x_key("ck"), own=bearer("t") | x_key("ck"))),
    (OPEN, Admitted(bearer(PLACEHOLDER))),
    (OPEN, Admitted(x_key(PLACEHOLDER))),
    (OPEN, Admitted(bearer(PLACEHOLDER) | x_key("ck"), own=x_key("ck"))),
    (OPEN, Admitted(bearer("", scheme="Basic abc"), own={"authorization": "Basic abc"})),
    (OPEN, Admitted({"authorization": "Bearer", "x-api-key": ""})),
    (KEY, Admitted(x_key("akey"))),
    (KEY, Admitted(bearer("akey"))),
    (KEY, Admitted(bearer("akey") | x_key("akey"))),
    (KEY, Admitted(bearer("other") | x_key("akey"), own=bearer("other"))),
    (KEY, Admitted(bearer("akey") | x_key("other"), own=x_key("other"))),
    (KEY, Admitted(x_key("akey,other"))),
    (KEY, Admitted(x_key("akey") | {"authorization": "akey"})),
    (KEY, Admitted(x_key("akey") | {"authorization": "Basic akey"})),
    (KEY, Admitted(x_key("akey") | {"authorization": "Token  akey "})),
    (BEARER, Admitted(bearer("bsec"))),
    (BEARER, Admitted(bearer("bsec", scheme="bearer "))),
    (BEARER, Admitted(bearer("bsec", scheme="BEARER\t"))),
    (BEARER, Admitted(bearer("  bsec  "))),
    (BEARER, Admitted(x_key("bsec"))),
    (BEARER, Admitted(bearer("bsec,Bearer other"))),
    (BOTH, Admitted(bearer("bsec"))),
    (BOTH, Admitted(x_key("akey"))),
    (BOTH, Admitted(bearer("wrong") | x_key("akey"), own=bearer("wrong"))),
    (ANY, Admitted(bearer("x"), own=bearer("x"), any_token=True, may_use_keys=False)),
    (
        ANY,
        Admitted(
            bearer("x") | x_key("ck"), bearer("x") | x_key("ck"), any_token=True, may_use_keys=False
        ),
    ),
    (ANY_LOCAL, Admitted(bearer("x"), own=bearer("x"), any_token=True)),
    (ANY_LOCAL, Admitted(bearer(PLACEHOLDER), any_token=True)),
    (KEY_AND_ANY, Admitted(x_key("akey"))),
    (KEY_AND_ANY, Admitted(bearer("x"), own=bearer("x"), any_token=True, may_use_keys=False)),
]

REFUSED = [
    (KEY, {}, "missing x-api-key header"),
    (KEY, bearer("wrong"), "missing x-api-key header"),
    (KEY, x_key("wrong"), "invalid x-api-key"),
    (KEY, x_key("other,akey"), "invalid x-api-key"),
    (KEY, {"authorization": "Basic akey"}, "missing x-api-key header"),
    (KEY, {"authorization": "akey"}, "missing x-api-key header"),
    (KEY, x_key("Bearer akey"), "invalid x-api-key"),
    (KEY, x_key(PLACEHOLDER), "invalid x-api-key"),
    (BOTH, {}, "missing x-api-key header"),
    (BOTH, bearer("wrong"), "missing x-api-key header"),
    (KEY_AND_ANY, {}, "missing x-api-key header"),
    (KEY_AND_ANY, bearer(PLACEHOLDER), "missing x-api-key header"),
    (BEARER, {}, "missing authorization header"),
    (BEARER, x_key("wrong"), "missing authorization header"),
    (BEARER, {"authorization": "Basic abc"}, "invalid authorization scheme"),
    (BEARER, {"authorization": "BearerX bsec"}, "invalid authorization scheme"),
    (BEARER, {"authorization": "Bearerbsec"}, "invalid authorization scheme"),
    (BEARER, {"authorization": "bsec"}, "invalid authorization scheme"),
    (BEARER, {"authorization": "Bearer"}, "empty bearer token"),
    (BEARER, bearer("   "), "empty bearer token"),
    (BEARER, bearer(",Bearer bsec"), "empty bearer token"),
    (BEARER, bearer("wrong"), "invalid bearer token"),
    (BEARER, bearer("wrong,Bearer bsec"), "invalid bearer token"),
    (BEARER, bearer(PLACEHOLDER), "invalid bearer token"),
    (ANY, {}, "missing authorization header"),
    (ANY, x_key("ck"), "missing authorization header"),
    (ANY, {"authorization": "Basic abc"}, "invalid authorization scheme"),
    (ANY, {"authorization": "Bearer "}, "empty bearer token"),
]


@pytest.mark.parametrize(("config", "case"), ADMITTED)
def test_clients_are_admitted_with_only_their_own_credentials(
    config: AuthConfig, case: Admitted
) -> None:
    client = Gatekeeper(config).admit(case.headers)

    assert client == Client(
        name="", any_token=case.any_token, may_use_keys=case.may_use_keys, own=case.own
    )


@pytest.mark.parametrize(("config", "headers", "message"), REFUSED)
def test_refusals_say_what_is_missing_or_wrong(
    config: AuthConfig, headers: dict[str, str], message: str
) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        Gatekeeper(config).admit(headers)

    assert str(refusal.value) == message


def test_the_placeholder_under_any_token_is_refused_with_the_three_ways_out() -> None:
    with pytest.raises(Unauthenticated) as refusal:
        Gatekeeper(ANY).admit(bearer(PLACEHOLDER))

    for way_out in ("api_key", "bearer_secret", "any_bearer_uses_keys"):
        assert f"server.auth.{way_out}" in str(refusal.value)


def test_a_secret_in_utf_8_matches_the_header_that_wsgi_read_as_latin_1() -> None:
    on_the_wire = "clé-à€".encode().decode("latin-1")
    gate = Gatekeeper(auth("clé-à€"))

    assert gate.admit(x_key(on_the_wire)).own == {}
    assert gate.admit(bearer(on_the_wire)).own == {}


def test_a_secret_that_contains_a_comma_still_admits_and_is_consumed() -> None:
    gate = Gatekeeper(auth("one,two"))

    assert gate.admit(x_key("one,two")).own == {}
    assert gate.admit(bearer("one,two")).own == {}


def test_own_values_go_on_exactly_as_received() -> None:
    headers = {"authorization": "bEaReR  tok \t", "x-api-key": "clé".encode().decode("latin-1")}

    assert Gatekeeper(OPEN).admit(headers).own == headers


def test_a_secret_hidden_behind_an_own_value_of_a_repeated_header_does_not_go_on() -> None:
    gate = Gatekeeper(KEY)

    client = gate.admit(bearer("akey") | x_key("mine,akey,also mine"))

    assert client.own == x_key("mine,also mine")


def test_a_header_of_more_words_than_any_scheme_has_is_not_passed_on() -> None:
    client = Gatekeeper(KEY).admit(bearer("akey") | x_key(",".join(["mine"] * 500)))

    assert client.own == {}


@given(st.lists(st.sampled_from(["akey", "mine", "Bearer", "x", ",", " ", "\t", ", "]), max_size=9))
def test_however_a_header_is_put_together_no_secret_goes_on(pieces: list[str]) -> None:
    headers = {"x-api-key": "akey", "authorization": "".join(pieces)}

    own = Gatekeeper(KEY).admit(headers).own

    assert "akey" not in re.split(r"[\s,]+", own.get("authorization", ""))
    assert "x-api-key" not in own


def test_a_digest_with_all_its_parts_goes_on_as_it_came() -> None:
    digest = {"authorization": 'Digest username="u", realm="r, s", nonce="n", uri="/", qop=auth'}

    assert Gatekeeper(KEY).admit(x_key("akey") | digest).own == digest


def test_a_bearer_secret_that_is_switched_off_admits_nobody_and_never_leaves() -> None:
    gate = Gatekeeper(auth("akey", "bsec"))

    assert gate.admit(x_key("akey") | bearer("bsec")).own == {}
    with pytest.raises(Unauthenticated):
        gate.admit(bearer("bsec"))


def test_a_client_does_not_print_its_credentials() -> None:
    client = Gatekeeper(OPEN).admit(bearer("tok-123"))

    assert "tok-123" not in repr(client)
    assert "authorization" in repr(client)
