"""Headers towards the client: what passes, what is ours, what `routing.debug` adds (4.7)."""

from collections.abc import Mapping

import pytest

from tests.exchange.conftest import Drive
from tests.exchange.driving import Served
from tests.scripted import messages
from tests.scripted.answers import says, says_error, says_json, streams
from tests.scripted.client import MSG, STREAM_MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

LIMITS = {"anthropic-ratelimit-requests-remaining": "9", "anthropic-organization-id": "org"}
DEBUG = {"routing": {"debug": True}}


def debug_of(served: Served) -> dict[str, str]:
    prefix = "x-cc-relay-"
    return {
        name.lower()[len(prefix) :]: value
        for name, value in served.headers
        if name.lower().startswith(prefix)
    }


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_upstream_s_headers_pass_but_those_of_its_connection(
    drive: Drive, a: Upstream, status: int
) -> None:
    driven = drive(config(provider("A", a, "k1")))
    dropped = {
        "Set-Cookie": "a=b",
        "Server": "x",
        "Date": "Wed, 25 Nov 2026 03:04:05 GMT",
        "Alt-Svc": "h3",
        "Strict-Transport-Security": "max-age=1",
        "Access-Control-Allow-Origin": "*",
        "X-CC-Relay-Provider": "evil",
        "X-Request-ID": "theirs",
        "Keep-Alive": "timeout=5",
    }
    kept = {"request-id": "req_1", "x-custom": "v", "x-should-retry": "true", **LIMITS}
    a.says(says_json(messages.message(), status, dropped | kept))

    served = driven.ask()

    assert served.status == status
    names = {name.lower() for name, _ in served.headers}
    assert names == {"content-type", "content-length"} | set(kept)
    assert {name: served.header(name) for name in kept} == kept


@pytest.mark.parametrize("status", [200, 400, 429])
@pytest.mark.parametrize(
    ("keys", "sent", "shown"),
    [
        (["k1", "k2"], {}, False),
        (["k1"], {}, True),
        (["k1", "k2"], {"x-api-key": "own"}, True),
    ],
)
def test_limits_of_a_pool_are_not_shown_to_the_client(
    drive: Drive, a: Upstream, *, status: int, keys: list[str], sent: Mapping[str, str], shown: bool
) -> None:
    driven = drive(config(provider("A", a, *keys)))
    a.answers_with(says_json(messages.message(), status, LIMITS))

    served = driven.ask(headers=sent)

    assert served.status == status
    assert (served.header("anthropic-ratelimit-requests-remaining") == "9") is shown
    assert (served.header("anthropic-organization-id") == "org") is shown


@pytest.mark.parametrize("sent", ["text/event-stream", "text/event-stream; charset=utf-8"])
def test_a_stream_is_announced_so_that_nobody_buffers_it(
    drive: Drive, a: Upstream, sent: str
) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(streams(content_type=sent))

    served = driven.ask(STREAM_MSG)

    assert served.header("content-type") == "text/event-stream"
    assert served.header("cache-control") == "no-cache, no-transform"
    assert served.header("x-accel-buffering") == "no"
    assert served.header("content-length") is None
    assert served.content == b"".join(messages.text_stream())


def test_bytes_and_coding_of_a_compressed_answer_agree(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1")))
    plain = driven.ask(STREAM_MSG)
    a.says(streams(gzip=True))

    packed = driven.ask(STREAM_MSG, {"accept-encoding": "gzip"})

    assert plain.header("content-encoding") is None
    assert packed.header("content-encoding") == "gzip"
    assert packed.content[:2] == b"\x1f\x8b"


def test_a_refusal_passes_compressed_as_it_came(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(says(529, {"Content-Type": "application/json"}, b'{"a":1}', gzip=True))

    served = driven.ask(headers={"accept-encoding": "gzip"})

    assert served.header("content-encoding") == "gzip"
    assert served.header("content-length") == str(len(served.content))
    assert served.content[:2] == b"\x1f\x8b"


def test_a_waiting_time_of_days_becomes_an_hour(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1")))
    a.says(says_error(429, "rate_limit_error", headers={"Retry-After": "500000"}))

    assert driven.ask().header("retry-after") == "3600"


# routing.debug


def test_without_debug_there_are_no_headers_of_ours(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))

    assert debug_of(driven.ask()) == {}


@pytest.mark.parametrize("answer", [200, 400, 503])
def test_debug_headers_tell_who_answered_and_how(drive: Drive, a: Upstream, answer: int) -> None:
    driven = drive(config(provider("A", a, "k1", model_mapping={"claude-x": "m1"}), **DEBUG))
    a.says(says_json(messages.message(), answer))

    assert debug_of(driven.ask()) == {
        "provider": "A",
        "strategy": "failover",
        "health": "closed",
        "attempts": "1",
        "model": "m1",
    }


def test_debug_headers_of_a_pool_name_the_key(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2", "k3"), **DEBUG))
    a.says(says_error(429, "rate_limit_error"))

    shown = debug_of(driven.ask())

    assert (shown["key-id"], shown["attempts"]) == ("A/1", "2")
    assert (shown["keys-total"], shown["keys-available"]) == ("3", "2")


@pytest.mark.parametrize(
    ("keys", "pooling", "sent", "total"),
    [
        (["k1"], None, {}, None),
        (["k1"], True, {}, "1"),
        (["k1", "k2"], None, {}, "2"),
        (["k1", "k2"], False, {}, None),
        (["k1", "k2"], None, {"authorization": "Bearer own"}, None),
    ],
)
def test_key_headers_stand_only_for_keys_of_a_pool(
    drive: Drive,
    a: Upstream,
    *,
    keys: list[str],
    pooling: bool | None,
    sent: Mapping[str, str],
    total: str | None,
) -> None:
    entry = provider("A", a, *keys)
    if pooling is not None:
        entry["pooling"] = {"enabled": pooling}
    driven = drive(config(entry, **DEBUG))

    shown = debug_of(driven.ask(headers=sent))

    assert shown.get("keys-total") == total
    assert ("key-id" in shown) is (total is not None)


def test_debug_headers_stand_on_a_stream_and_name_no_model_where_none_was_read(
    drive: Drive, a: Upstream
) -> None:
    driven = drive(config(provider("A", a, "k1"), **DEBUG))
    a.says(streams())

    assert debug_of(driven.ask(STREAM_MSG))["model"] == "claude-x"
    assert "model" not in debug_of(driven.ask(b"not json"))
    assert debug_of(driven.ask(MSG))["attempts"] == "1"
