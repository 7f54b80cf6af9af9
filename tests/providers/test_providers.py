"""What every provider owes, whatever its dialect (behaviour 5.2, 6.1)."""

import pytest

from relay.config.types import TYPES
from relay.providers.provider import Provider
from relay.providers.registry import PROVIDERS
from relay.secret import Secret
from relay.wire import Timeouts, UpstreamRequest

KINDS = list(PROVIDERS.values())
BODY = b'{ "model" : "x" , "n": 9007199254740993 }'


def a_request(**headers: str) -> UpstreamRequest:
    return UpstreamRequest(
        method="POST",
        url="http://127.0.0.1/v1/messages",
        headers=headers,
        body=BODY,
        timeouts=Timeouts(connect_s=1, first_byte_s=1, idle_s=1),
    )


def named(provider: Provider) -> str:
    return provider.type


def test_each_is_found_by_its_type_and_can_be_configured() -> None:
    assert set(PROVIDERS) == {"anthropic", "zai"}
    assert {name: provider.type for name, provider in PROVIDERS.items()} == {
        name: name for name in PROVIDERS
    }
    assert set(PROVIDERS) <= set(TYPES)


@pytest.mark.parametrize("provider", KINDS, ids=named)
@pytest.mark.parametrize(
    ("base", "path", "query", "url"),
    [
        ("http://h", "/v1/messages", "", "http://h/v1/messages"),
        ("http://h/a/b", "/v1/messages", "beta=true", "http://h/a/b/v1/messages?beta=true"),
        ("http://h", "/v1/messages/count_tokens", "", "http://h/v1/messages/count_tokens"),
        ("http://h", "/v1/files/a%2Fb", "q=%20", "http://h/v1/files/a%2Fb?q=%20"),
    ],
)
def test_a_url_is_base_path_and_query_as_they_are(
    provider: Provider, base: str, path: str, query: str, url: str
) -> None:
    assert provider.url(base, path, query) == url


@pytest.mark.parametrize("provider", KINDS, ids=named)
def test_body_and_headers_stay_as_they_are(provider: Provider) -> None:
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "x"}

    assert provider.body(BODY) is BODY
    assert provider.headers(headers) == headers


@pytest.mark.parametrize("provider", KINDS, ids=named)
def test_the_key_goes_out_as_x_api_key_and_changes_nothing_else(provider: Provider) -> None:
    request = a_request(accept="a", authorization="Basic x")

    signed = provider.authorize(request, Secret("k"))

    assert signed.headers == {"accept": "a", "authorization": "Basic x", "x-api-key": "k"}
    assert request.headers == {"accept": "a", "authorization": "Basic x"}
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, BODY)


@pytest.mark.parametrize("provider", KINDS, ids=named)
def test_a_provider_holds_no_state(provider: Provider) -> None:
    provider.authorize(a_request(), Secret("k"))

    assert vars(provider) == {}
