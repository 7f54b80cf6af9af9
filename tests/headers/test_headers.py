"""What crosses the relay in the header section, both ways."""

import pytest

from relay.errors import InvalidRequest
from relay.upstream.headers import request_headers, response_headers

ADDED = {
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "accept-encoding": "identity",
}


def test_what_the_client_says_to_the_upstream_goes_on_in_order() -> None:
    headers = {
        "user-agent": "claude-cli/2",
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "a,b",
        "x-stainless-retry-count": "0",
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "x-request-id": "abc",
        "x-custom": "1",
    }

    out = request_headers(headers, messages=True)

    assert list(out.items()) == list(headers.items())


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "authorization",
        "x-api-key",
        "cookie",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-anything",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "via",
        "host",
        "content-length",
        "expect",
        "x-selected-key",
        "x-cc-relay-provider",
    ],
)
def test_private_hop_by_hop_and_own_fields_stay_here(name: str) -> None:
    assert request_headers({name: "value"}, messages=True) == ADDED


def test_every_name_that_connection_lists_stays_here() -> None:
    headers = {"connection": "close, X-Foo,x-bar", "x-foo": "1", "x-bar": "2", "x-baz": "3"}

    assert request_headers(headers, messages=True) == {"x-baz": "3"} | ADDED


def test_the_content_type_is_json_on_messagess_only() -> None:
    sent = {"content-type": "text/plain"}

    assert request_headers(sent, messages=True)["content-type"] == "application/json"
    assert request_headers(sent, messages=False)["content-type"] == "text/plain"
    assert "content-type" not in request_headers({}, messages=False)


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b"])
def test_a_value_with_a_line_break_or_nul_refuses_the_request_and_names_the_header(
    bad: str,
) -> None:
    with pytest.raises(InvalidRequest, match="x-evil") as refusal:
        request_headers({"x-fine": "1", "x-evil": bad}, messages=True)

    assert bad not in str(refusal.value)


def test_response_headers_pass_in_order_and_repeated_ones_stay_apart() -> None:
    headers = [
        ("content-type", "application/json"),
        ("content-length", "12"),
        ("content-encoding", "gzip"),
        ("x-two", "1"),
        ("x-two", "2"),
        ("request-id", "req_1"),
        ("cache-control", "private"),
        ("anthropic-ratelimit-requests-limit", "100"),
        ("anthropic-organization-id", "org"),
    ]

    assert response_headers(headers, pooled=False) == headers


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "transfer-encoding",
        "trailer",
        "set-cookie",
        "server",
        "date",
        "alt-svc",
        "strict-transport-security",
        "access-control-allow-origin",
        "x-cc-relay-provider",
        "x-request-id",
    ],
)
def test_what_is_the_upstreams_own_or_ours_to_say_is_not_relayed(name: str) -> None:
    assert response_headers([(name, "v"), ("x-a", "1")], pooled=False) == [("x-a", "1")]


def test_names_that_the_upstreams_connection_lists_are_not_relayed() -> None:
    headers = [("x-hop", "1"), ("connection", "X-Hop"), ("x-a", "1")]

    assert response_headers(headers, pooled=False) == [("x-a", "1")]


def test_a_length_beside_a_transfer_coding_is_not_believed() -> None:
    headers = [("content-length", "3"), ("transfer-encoding", "chunked"), ("x-a", "1")]

    assert response_headers(headers, pooled=False) == [("x-a", "1")]


def test_limits_of_a_pool_of_keys_are_not_shown_to_clients() -> None:
    headers = [
        ("anthropic-ratelimit-requests-limit", "100"),
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("anthropic-organization-id", "org"),
        ("anthropic-version", "1"),
    ]

    assert response_headers(headers, pooled=True) == [("anthropic-version", "1")]


def test_a_converted_body_loses_length_and_coding_and_nothing_else() -> None:
    headers = [("content-length", "1"), ("content-encoding", "gzip"), ("content-type", "x/y")]

    assert response_headers(headers, pooled=False, converted=True) == [("content-type", "x/y")]


@pytest.mark.parametrize(
    "content_type", ["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream"]
)
def test_an_event_stream_is_named_plainly_and_asks_not_to_be_buffered(content_type: str) -> None:
    headers = [
        ("content-type", content_type),
        ("content-length", "99"),
        ("cache-control", "private"),
        ("x-accel-buffering", "yes"),
        ("content-encoding", "gzip"),
    ]

    assert response_headers(headers, pooled=False) == [
        ("content-encoding", "gzip"),
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ]


DATE = ("date", "Wed, 25 Nov 2026 03:00:00 GMT")


@pytest.mark.parametrize(
    ("name", "value", "relayed"),
    [
        ("retry-after", "5", "5"),
        ("retry-after", "3600", "3600"),
        ("retry-after", "3601", "3600"),
        ("retry-after", "1e9", "3600"),
        ("retry-after", "inf", "3600"),
        ("retry-after", "-1", "-1"),
        ("retry-after", "soon", "soon"),
        ("retry-after", "Wed, 25 Nov 2026 03:30:00 GMT", "Wed, 25 Nov 2026 03:30:00 GMT"),
        ("retry-after", "Wed, 25 Nov 2026 05:00:00 GMT", "3600"),
        ("retry-after-ms", "3600000", "3600000"),
        ("retry-after-ms", "3600001", "3600000"),
    ],
)
def test_no_client_is_told_to_wait_longer_than_an_hour(name: str, value: str, relayed: str) -> None:
    assert response_headers([(name, value), DATE], pooled=False) == [(name, relayed)]


def test_a_date_to_wait_for_from_an_upstream_without_a_clock_becomes_an_hour() -> None:
    headers = [("retry-after", "Wed, 25 Nov 2026 03:30:00 GMT")]

    assert response_headers(headers, pooled=False) == [("retry-after", "3600")]


@pytest.mark.parametrize(
    "field",
    [
        ("x-a", "bell\x07"),
        ("x-a", "del\x7f"),
        ("x-a", "a\nb"),
        ("x-a", "€"),
        ("x a", "1"),
        ("", ""),
    ],
)
def test_a_field_the_server_would_refuse_is_dropped(field: tuple[str, str]) -> None:
    assert response_headers([field, ("x-b", "é\t1")], pooled=False) == [("x-b", "é\t1")]


def test_what_was_decided_for_the_same_names_before_binds_neither_direction() -> None:
    """Decisions by name are remembered; what else they depend on must not be."""
    asked = {"connection": "x-a", "x-a": "1", "x-b": "2"}
    assert request_headers(asked, messages=True) == {"x-b": "2"} | ADDED
    assert request_headers(asked | {"connection": "x-b"}, messages=True) == {"x-a": "1"} | ADDED
    assert request_headers(asked | {"x-b": "3"}, messages=True) == {"x-b": "3"} | ADDED

    limit = ("anthropic-ratelimit-requests-limit", "100")
    for _ in range(2):
        assert response_headers([limit], pooled=False) == [limit]
        assert response_headers([limit], pooled=True) == []
        assert response_headers([limit, ("x-a", "a\nb")], pooled=False) == [limit]
