"""Who is admitted (A.3: 21 to 28; 41; G12, G14). Each group is one configuration, reloaded."""

from collections.abc import Mapping

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.client import MSG, Headers, Response, head
from tests.scripted.config import config, provider
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

SUBSCRIPTION = {"auth": {"allow_subscription": True}}
BEARER = {"auth": {"allow_bearer": True, "bearer_secret": "s"}}
BOTH = {"auth": {"api_key": "a", "allow_bearer": True, "bearer_secret": "s"}}
KEY = {"api_key": "s"}


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    _in_force.clear()
    return start_relay(config(provider("p", plain_upstream, "k1")))


_in_force: list[Mapping[str, object]] = []


def _require(
    relay: Relay, upstream: Upstream, server: Mapping[str, object], admitted: Headers = ()
) -> None:
    if _in_force[-1:] != [server]:
        relay.reload(config(provider("p", upstream, "k1"), server=dict(server)), admitted)
        _in_force.append(server)


def _refused(answer: Response, upstream: Upstream, message: str) -> None:
    assert answer.status == 401
    assert answer.error() == ("authentication_error", message)
    assert answer.header("x-should-retry") == "false"
    assert answer.header("www-authenticate") is None
    assert upstream.accepted == 0


def test_only_an_api_key(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, KEY, {"x-api-key": "s"})
    _refused(relay.post(headers={"x-api-key": "t"}), plain_upstream, "invalid x-api-key")
    _refused(relay.post(), plain_upstream, "missing x-api-key header")
    _refused(
        relay.post(headers={"Authorization": "BearerX s"}),
        plain_upstream,
        "missing x-api-key header",
    )
    for admitted in (
        {"x-api-key": "s"},
        {"Authorization": "Bearer s"},
        {"x-api-key": "s", "Authorization": "Bearer s"},
        {"x-api-key": "s", "Authorization": "Bearer other"},
        {"x-api-key": "other", "Authorization": "Bearer s"},
    ):
        assert relay.post(headers=admitted).status == 200, admitted
    assert relay.get("/health").status == 200
    assert relay.get("/health/ready").status == 200
    assert relay.ask("HEAD", "/api/hello").status == 200
    # Paths are matched before anybody is asked who they are (behaviour 1, steps 2 and 3).
    assert relay.get("/nope").status == 404
    assert relay.get("/v1/messages").status == 405
    assert relay.get("/v1/models").status == 401
    assert relay.get("/v1/providers").status == 401
    assert relay.get("/v1/files").status == 401


def test_the_newer_place_of_the_api_key_wins(relay: Relay, plain_upstream: Upstream) -> None:
    server = {"api_key": "b", "auth": {"api_key": "a"}}
    _require(relay, plain_upstream, server, {"x-api-key": "a"})
    _refused(relay.post(headers={"x-api-key": "b"}), plain_upstream, "invalid x-api-key")
    assert relay.post(headers={"x-api-key": "a"}).status == 200


def test_any_bearer_token(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, SUBSCRIPTION, {"Authorization": "Bearer x"})
    _refused(relay.post(), plain_upstream, "missing authorization header")
    _refused(
        relay.post(headers={"Authorization": "Basic abc"}),
        plain_upstream,
        "invalid authorization scheme",
    )
    _refused(
        relay.post(headers={"Authorization": "Bearer  "}), plain_upstream, "empty bearer token"
    )
    assert relay.post(headers={"Authorization": "Bearer x"}).status == 200


@pytest.mark.parametrize(
    "value", ["Bearer s", "bearer s", "BEARER s", "Bearer   s", "Bearer s  ", "bearer\ts"]
)
def test_a_bearer_secret_is_found_however_it_is_written(
    relay: Relay, plain_upstream: Upstream, value: str
) -> None:
    _require(relay, plain_upstream, BEARER, {"Authorization": "Bearer s"})
    assert relay.post(headers={"Authorization": value}).status == 200


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "missing authorization header"),
        ({"Authorization": "Basic abc"}, "invalid authorization scheme"),
        ({"Authorization": "BearerX s"}, "invalid authorization scheme"),
        ({"Authorization": "Bearer "}, "empty bearer token"),
        ({"Authorization": "Bearer t"}, "invalid bearer token"),
        ({"Authorization": "Bearer S"}, "invalid bearer token"),
    ],
)
def test_without_the_bearer_secret_nobody_enters(
    relay: Relay, plain_upstream: Upstream, sent: dict[str, str], message: str
) -> None:
    _require(relay, plain_upstream, BEARER, {"Authorization": "Bearer s"})
    _refused(relay.post(headers=sent), plain_upstream, message)


def test_either_of_two_secrets_is_enough(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, BOTH, {"x-api-key": "a"})
    _refused(relay.post(), plain_upstream, "missing x-api-key header")
    for admitted in (
        {"Authorization": "Bearer wrong", "x-api-key": "a"},
        {"Authorization": "Bearer s", "x-api-key": "wrong"},
        {"Authorization": "Bearer a"},
        {"x-api-key": "s"},
    ):
        assert relay.post(headers=admitted).status == 200, admitted
    nobody = {"Authorization": "Bearer wrong", "x-api-key": "wrong"}
    assert relay.post(headers=nobody).status == 401


def test_only_the_first_of_two_keys_counts(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, KEY, {"x-api-key": "s"})
    assert relay.post(headers=[("x-api-key", "t"), ("x-api-key", "s")]).status == 401
    assert relay.post(headers=[("x-api-key", "s"), ("x-api-key", "t")]).status == 200


def test_without_authentication_everybody_enters(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, {})
    for admitted in ({}, {"x-api-key": "x"}, {"Authorization": "Basic y"}):
        assert relay.post(headers=admitted).status == 200, admitted


def test_a_reload_changes_who_enters(relay: Relay, plain_upstream: Upstream) -> None:
    _require(relay, plain_upstream, {})
    assert relay.post().status == 200
    _require(relay, plain_upstream, KEY, {"x-api-key": "s"})
    assert relay.post().status == 401
    _require(relay, plain_upstream, {"api_key": "new"}, {"x-api-key": "new"})
    assert relay.post(headers={"x-api-key": "s"}).status == 401
    assert relay.post(headers={"x-api-key": "new"}).status == 200
    _require(relay, plain_upstream, {})
    assert relay.post().status == 200


def test_a_wrong_key_is_refused_before_the_body(relay: Relay, plain_upstream: Upstream) -> None:
    server = {"api_key": "s", "max_body_bytes": 100}
    _require(relay, plain_upstream, server, {"x-api-key": "s"})
    big = b"x" * 101
    assert relay.post(big, {"x-api-key": "t"}).status == 401
    assert relay.post(big, {"x-api-key": "s"}).status == 413
    waiting = relay.connect()
    waiting.send(head("POST", "/v1/messages", None, {"Content-Length": "50", "x-api-key": "t"}))
    assert waiting.response().status == 401
    assert plain_upstream.accepted == 0


def test_a_client_that_waits_for_100_gets_it_only_when_admitted(
    relay: Relay, plain_upstream: Upstream
) -> None:
    _require(relay, plain_upstream, KEY, {"x-api-key": "s"})
    stranger, friend = relay.connect(), relay.connect()
    for connection, key in ((stranger, "t"), (friend, "s")):
        fields = {"Expect": "100-continue", "x-api-key": key}
        connection.send(head("POST", "/v1/messages", MSG, fields))
    assert stranger.line().startswith(b"HTTP/1.1 401 ")
    assert friend.line().startswith(b"HTTP/1.1 100 ")
    assert friend.line() == b""
    friend.send(MSG)
    assert friend.response().status == 200
    assert plain_upstream.only().header("expect") is None
