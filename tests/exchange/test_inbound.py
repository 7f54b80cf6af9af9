"""What is read from a body, and what of odd ones (behaviour 4.6)."""

from collections.abc import Mapping

import pytest

from relay.exchange import inbound
from relay.exchange.inbound import COUNT_TOKENS, MESSAGES, Inbound
from tests.exchange.conftest import Drive
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream


def read(body: bytes, path: str = MESSAGES) -> Inbound:
    return inbound.read(
        method="POST",
        path=path,
        query="",
        headers={},
        body=body,
        request_id="r",
        names_itself=False,
    )


BODIES: Mapping[bytes, tuple[str, bool]] = {
    b'{"model":"m","stream":true}': ("m", True),
    b' {"stream" : true , "model" : "m"}\n': ("m", True),
    b'{"model":"m","stream":false}': ("m", False),
    b'{"model":"m"}': ("m", False),
    b'{"model":"m","stream":1}': ("m", False),
    b'{"model":"m","stream":"true"}': ("m", False),
    b'{"model":"m","stream":null}': ("m", False),
    b'{"model":"m","metadata":{"stream":true,"model":"inner"}}': ("m", False),
    b'{"stream":true}': ("", True),
    b'{"model":"","stream":true}': ("", True),
    b'{"model":7,"stream":true}': ("", True),
    b'{"model":null}': ("", False),
    b'{"model":["m"]}': ("", False),
    b'{"model":"a","model":"b"}': ("", False),
    b'{"model":"a","model":"b","stream":true}': ("", True),
    b'{"model":"a","stream":true,"stream":true}': ("a", False),
    b'{"model":"\\u0063laude"}': ("claude", False),
    '{"model":"mod\u00e8le"}'.encode(): ("mod\u00e8le", False),
    b'{"model":"m","max_tokens":9007199254740993}': ("m", False),
    b'["model","m"]': ("", False),
    b'"model"': ("", False),
    b"not json": ("", False),
    b'{"model":"m"': ("", False),
    b'{"model":"m"} {}': ("", False),
    b"\xff\xfe": ("", False),
    b"": ("", False),
    b"null": ("", False),
}


@pytest.mark.parametrize("body", BODIES)
def test_model_and_stream_are_read_only_where_they_stand_unambiguously(body: bytes) -> None:
    asked = read(body)

    assert (asked.model, asked.stream) == BODIES[body]
    assert asked.body is body


@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
def test_both_paths_of_messages_are_read(path: str) -> None:
    assert read(b'{"model":"m"}', path).model == "m"


def test_the_body_of_another_path_is_not_looked_at() -> None:
    asked = read(b'{"model":"m","stream":true}', "/v1/messages/batches")

    assert (asked.model, asked.stream, asked.members) == ("", False, None)


@pytest.mark.parametrize("body", [body for body, (model, _) in BODIES.items() if not model])
def test_a_body_without_one_model_is_forwarded_unchanged_whatever_is_mapped(
    drive: Drive, a: Upstream, body: bytes
) -> None:
    mapping = {"*": "mapped", "m": "mapped"}
    driven = drive(config(provider("A", a, "k", model_mapping=mapping)))

    assert driven.ask(body).status == 200
    assert a.only().body == body
    assert a.only().header("content-length") == str(len(body))
