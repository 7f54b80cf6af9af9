"""Several keys of one provider (A.11: 75, 76, 79, 80, 82, 83, in one worker)."""

import time
from collections.abc import Callable

import pytest

from tests.http.conftest import StartRelay
from tests.scripted.answers import Answer, says_error, says_message
from tests.scripted.config import config, provider
from tests.scripted.recorded import Recorded
from tests.scripted.relay import Relay
from tests.scripted.upstream import Upstream

KEY = "x-api-key"
_number = iter(range(1000))


@pytest.fixture(scope="module")
def relay(start_relay: StartRelay, plain_upstream: Upstream) -> Relay:
    return start_relay(config(provider("p", plain_upstream, "k1")), workers=1)


@pytest.fixture
def keys(relay: Relay, plain_upstream: Upstream) -> list[str]:
    """Two keys that no test used before, in force."""
    number = next(_number)
    keys = [f"first-{number}", f"second-{number}"]
    entry = provider("p", plain_upstream, *keys, pooling={"strategy": "round_robin"})
    relay.reload(config(entry, routing={"debug": True}))
    return keys


def _refusing(keys: list[str], refusal: Answer) -> Callable[[Recorded], Answer]:
    return lambda request: refusal if request.header(KEY) in keys else says_message()


def _used(upstream: Upstream) -> list[str | None]:
    return [request.header(KEY) for request in upstream.requests]


def test_keys_take_turns(relay: Relay, plain_upstream: Upstream, keys: list[str]) -> None:
    answers = [relay.post() for _ in range(4)]
    assert _used(plain_upstream) in (keys * 2, keys[::-1] * 2)
    shown = [answer.header("x-cc-relay-key-id") for answer in answers]
    assert shown == [f"p/{keys.index(key or '')}" for key in _used(plain_upstream)]
    assert {answer.header("x-cc-relay-keys-total") for answer in answers} == {"2"}
    assert {answer.header("x-cc-relay-keys-available") for answer in answers} == {"2"}


def test_one_key_is_no_pool_unless_told_so(relay: Relay, plain_upstream: Upstream) -> None:
    debug = {"debug": True}
    relay.reload(config(provider("p", plain_upstream, "k1"), routing=debug))
    assert not [n for n, _ in relay.post().headers if n.lower().startswith("x-cc-relay-key")]
    pooled = provider("p", plain_upstream, "k1", pooling={"enabled": True})
    relay.reload(config(pooled, routing=debug))
    assert relay.post().header("x-cc-relay-keys-total") == "1"
    only_first = provider("p", plain_upstream, "k1", "k2", pooling={"enabled": False})
    relay.reload(config(only_first))
    plain_upstream.forget()
    for _ in range(4):
        relay.post()
    assert _used(plain_upstream) == ["k1"] * 4


def test_a_throttled_key_rests_and_comes_back(
    relay: Relay, plain_upstream: Upstream, keys: list[str]
) -> None:
    throttled = says_error(429, "rate_limit_error", headers={"retry-after": "2"})
    plain_upstream.answers_with(_refusing(keys[:1], throttled))
    rests_from = 0.0
    while keys[0] not in _used(plain_upstream):
        rests_from = time.monotonic()
        assert relay.post().status == 200  # the second key serves the same request
    plain_upstream.forget()
    answers = []
    while time.monotonic() < rests_from + 1.5:
        answers.append(relay.post())
    assert set(_used(plain_upstream)) == {keys[1]}
    assert {answer.header("x-cc-relay-keys-available") for answer in answers} == {"1"}
    while keys[0] not in _used(plain_upstream):
        assert relay.post().status == 200
        assert time.monotonic() < rests_from + 4


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_is_set_aside(
    relay: Relay, plain_upstream: Upstream, keys: list[str], status: int
) -> None:
    plain_upstream.answers_with(_refusing(keys[:1], says_error(status, "some_error")))
    answers = [relay.post() for _ in range(6)]
    assert {answer.status for answer in answers} == {200}
    assert _used(plain_upstream).count(keys[0]) == 1
    assert {answer.header("x-cc-relay-attempts") for answer in answers} == {"1", "2"}


def test_when_all_keys_rest_the_relay_says_for_how_long(
    relay: Relay, plain_upstream: Upstream, keys: list[str]
) -> None:
    def throttle(request: Recorded) -> Answer:
        rest = {keys[0]: "5", keys[1]: "40"}[request.header(KEY) or ""]
        return says_error(429, "rate_limit_error", "theirs", headers={"retry-after": rest})

    plain_upstream.answers_with(throttle)
    first = relay.post()
    assert first.status == 429
    assert first.json()["error"]["message"] == "theirs"
    assert sorted(_used(plain_upstream), key=str) == keys
    answer = relay.post()
    assert answer.status == 429
    assert answer.error()[0] == "rate_limit_error"
    assert answer.header("retry-after") in ("4", "5")
    assert len(plain_upstream.requests) == 2


def test_a_wild_retry_after_is_kept_in_bounds(
    relay: Relay, plain_upstream: Upstream, keys: list[str]
) -> None:
    wild = says_error(429, "rate_limit_error", headers={"retry-after": "4294967"})
    plain_upstream.answers_with(wild)
    assert relay.post().status == 429
    assert int(relay.post().header("retry-after") or "0") == 60
    assert len(plain_upstream.requests) == len(keys)


def test_limits_of_a_pool_are_not_told_to_the_client(
    relay: Relay, plain_upstream: Upstream, keys: list[str]
) -> None:
    told = {"anthropic-ratelimit-requests-limit": "9", "anthropic-organization-id": "org"}
    refusal = says_error(400, "invalid_request_error", headers=told)
    plain_upstream.answers_with(_refusing(keys, refusal))
    with_pool = relay.post()
    assert not [name for name, _ in with_pool.headers if name.lower() in told]
    plain_upstream.answers_with(refusal)
    with_own = relay.post(headers={KEY: "ck"})
    assert {name: with_own.header(name) for name in told} == told


def test_a_reload_does_not_wake_a_resting_key(
    relay: Relay, plain_upstream: Upstream, keys: list[str]
) -> None:
    plain_upstream.answers_with(_refusing(keys[:1], says_error(401, "authentication_error")))
    for _ in range(2):
        assert relay.post().status == 200
    # In the other order, and with another setting changed.
    entry = provider("p", plain_upstream, *keys[::-1], pooling={"strategy": "round_robin"})
    relay.reload(config(entry, routing={"max_attempts": 3}))
    plain_upstream.forget()
    plain_upstream.answers_with(says_message())
    for _ in range(4):
        assert relay.post().status == 200
    assert set(_used(plain_upstream)) == {keys[1]}
