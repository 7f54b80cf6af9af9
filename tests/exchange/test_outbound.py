"""The request as an upstream gets it: bytes, headers and URL (behaviour 4.4 to 4.6, 6.1, 6.2)."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import InvalidRequest
from tests.exchange.conftest import Drive
from tests.exchange.driving import Driven
from tests.scripted.client import MSG
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

MAPPING = {"claude-x": 'm\u00ef\U0001f600"\\1', "claude-opus-*": "opus", "claude-*": "any"}


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1", model_mapping=MAPPING)))


# Bodies around the value of `model`, which is put between the two.
AROUND: list[tuple[bytes, bytes]] = [
    (b'{"model":', b"}"),
    (b' {\t"model" :\r\n ', b' , "max_tokens": 5 } \n'),
    (b'{"a":9007199254740993,"b":1e400,"c":-0.0,"model":', b',"z":"\\u00e9\\ud83d\\ude00"}'),
    ('{"\u00e9\u4e2d":"\U0001f600","model":'.encode(), b',"x":{"model":"claude-x"}}'),
    (b'{"messages":[{"content":"\\"model\\": \\"claude-x\\""}],"model":', b"}"),
    (b'{"s":"\\ud800","model":', b',"unknown_field":[1,2,{"k":null}]}'),
]
NAMES: Mapping[bytes, bytes] = {
    b'"claude-x"': b'"m\\u00ef\\ud83d\\ude00\\"\\\\1"',
    b'"claude\\u002dx"': b'"m\\u00ef\\ud83d\\ude00\\"\\\\1"',
    b'"claude-opus-4"': b'"opus"',
    b'"claude-haiku"': b'"any"',
    b'"Claude-x"': b'"Claude-x"',
    b'"gpt"': b'"gpt"',
    b'"g\\u0070t"': b'"g\\u0070t"',
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("before", "behind"), AROUND)
def test_a_rename_changes_the_model_s_bytes_alone(
    driven: Driven, a: Upstream, before: bytes, behind: bytes, name: bytes
) -> None:
    driven.ask(before + name + behind)

    assert a.only().body == before + NAMES[name] + behind


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=60))
def test_bytes_that_are_no_request_go_out_as_they_came(
    driven: Driven, a: Upstream, body: bytes
) -> None:
    a.forget()

    driven.ask(body)

    assert a.only().body == body


def test_a_listed_alias_is_read_away_before_it_is_mapped(drive: Drive, a: Upstream) -> None:
    mapping = {"GLM-5": "glm"}
    driven = drive(config(provider("A", a, "k1", models=["GLM-5"], model_mapping=mapping)))

    driven.ask(MSG.replace(b"claude-x", b"anthropic/GLM-5"))
    driven.ask(MSG.replace(b"claude-x", b"anthropic/other"))

    assert [request.fields()["model"] for request in a.requests] == ["glm", "anthropic/other"]


def test_an_alias_loses_its_prefix_without_any_mapping(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", models=["GLM-5"])))

    driven.ask(MSG.replace(b"claude-x", b"anthropic/GLM-5"))

    assert a.only().body == MSG.replace(b"claude-x", b"GLM-5")


@pytest.mark.parametrize("type", ["anthropic", "zai"])
@pytest.mark.parametrize("base", ["", "/", "/api/anthropic", "/api/anthropic/"])
def test_the_url_is_base_and_path_with_one_slash_between(
    drive: Drive, a: Upstream, base: str, type: str
) -> None:
    driven = drive(config(provider("A", a.url + base, "k1", type=type)))

    driven.ask(query="beta=true&beta=%2F")

    assert a.only().target == f"{base.rstrip('/')}/v1/messages?beta=true&beta=%2F"


# Headers


def test_end_to_end_headers_arrive_and_private_ones_do_not(driven: Driven, a: Upstream) -> None:
    kept = {
        "anthropic-beta": "a-1,b-2",
        "user-agent": "claude-cli/2.0",
        "x-stainless-os": "Linux",
        "x-claude-code-session-id": "s",
        "x-app": "cli",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "x-custom": "v",
    }
    dropped = {
        "connection": "x-listed, keep-alive",
        "x-listed": "1",
        "te": "trailers",
        "proxy-authorization": "Basic eA==",
        "cookie": "c=1",
        "forwarded": "for=1.2.3.4",
        "x-forwarded-for": "1.2.3.4",
        "x-real-ip": "1.2.3.4",
        "via": "x",
        "x-selected-key": "evil",
        "x-cc-relay-key": "evil",
        "expect": "100-continue",
        "transfer-encoding": "chunked",
        "content-length": "99999",
    }

    driven.ask(headers=kept | dropped)

    asked = a.only()
    assert {name: asked.header(name) for name in kept} == kept
    names = [name.lower() for name, _ in asked.headers]
    assert not set(names) & (set(dropped) - {"content-length"})
    assert asked.header("content-length") == str(len(asked.body))
    assert asked.header("x-api-key") == "k1"
    assert len(names) == len(set(names))


def test_a_request_without_headers_gets_those_an_upstream_needs_and_none_of_a_library(
    driven: Driven, a: Upstream
) -> None:
    driven.ask()

    sent = {name.lower(): value for name, value in a.only().headers}
    assert sent == {
        "host": f"127.0.0.1:{a.port}",
        "content-length": str(len(a.only().body)),
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "accept-encoding": "identity",
        "x-api-key": "k1",
    }


@pytest.mark.parametrize("sent", [None, "text/plain", "application/json; charset=latin-1"])
def test_a_message_is_json_whatever_the_client_calls_it(
    driven: Driven, a: Upstream, sent: str | None
) -> None:
    driven.ask(headers={"content-type": sent} if sent else {})

    assert a.only().header("content-type") == "application/json"


@pytest.mark.parametrize(("names_itself", "arrives"), [(True, "r-1"), (False, None)])
def test_only_a_client_s_own_request_id_goes_upstream(
    driven: Driven, a: Upstream, *, names_itself: bool, arrives: str | None
) -> None:
    driven.ask(headers={"x-request-id": "r-1"}, names_itself=names_itself)

    assert a.only().header("x-request-id") == arrives


@pytest.mark.parametrize("value", ["a\r\nx-injected: 1", "a\nb", "a\0b"])
def test_a_header_that_would_break_the_line_refuses_the_request(
    driven: Driven, a: Upstream, value: str
) -> None:
    with pytest.raises(InvalidRequest, match="x-custom"):
        driven.ask(headers={"x-custom": value})

    assert not a.requests
    assert driven.in_flight("A", "k1") == 0
