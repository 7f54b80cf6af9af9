"""Other paths of `/v1/`: as they are, to the first `anthropic` provider (behaviour 4.1)."""

import pytest

from relay.errors import Forbidden, NotFound, UpstreamFailed
from tests.exchange.conftest import Drive, Lines
from tests.exchange.driving import Driven, close, read
from tests.scripted.answers import says, says_error, says_json, says_nothing
from tests.scripted.config import config, provider
from tests.scripted.upstream import Upstream

BINARY = bytes(range(256)) * 5


@pytest.fixture
def driven(drive: Drive, a: Upstream) -> Driven:
    return drive(config(provider("A", a, "k1")))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_method_path_query_and_body_arrive_as_they_came(
    driven: Driven, a: Upstream, method: str
) -> None:
    a.says(says(200, {"Content-Type": "application/octet-stream"}, BINARY[::-1]))

    served = driven.ask(
        BINARY,
        {"content-type": "multipart/form-data; boundary=x"},
        method=method,
        path="/v1/files/a%2Fb%20c",
        query="beta=true&x=%C3%A9",
    )

    asked = a.only()
    assert asked.method == method
    assert asked.target == "/v1/files/a%2Fb%20c?beta=true&x=%C3%A9"
    assert asked.body == BINARY
    assert asked.header("content-type") == "multipart/form-data; boundary=x"
    assert (served.status, served.content) == (200, BINARY[::-1])


def test_a_body_that_names_a_model_is_not_edited(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", model_mapping={"*": "other"})))
    body = b'{"model":"claude-x"}'

    driven.ask(body, path="/v1/messages/batches")

    assert a.only().body == body


def test_the_first_anthropic_provider_serves_whatever_the_priorities(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    driven = drive(
        config(
            provider("Z", b, "kz", type="zai", priority=2),
            provider("A", a, "ka"),
            provider("B", b, "kb", priority=2),
        )
    )

    assert driven.ask(path="/v1/files", method="GET").status == 200
    assert a.only().header("x-api-key") == "ka"
    assert not b.requests


def test_without_an_anthropic_provider_there_is_nothing(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("Z", a, "kz", type="zai")))

    with pytest.raises(NotFound, match="/v1/files needs a provider of type anthropic"):
        driven.ask(path="/v1/files", method="GET")

    assert not a.requests


def test_a_stranger_reaches_the_first_provider_that_takes_their_credential(
    drive: Drive, a: Upstream, b: Upstream
) -> None:
    server = {"auth": {"allow_bearer": True, "any_bearer_uses_keys": False}}
    own = {"authorization": "Bearer own"}
    configured = provider("A", a, "ka", auth="configured")
    driven = drive(config(configured, provider("B", b, "kb"), server=server))

    assert driven.ask(headers=own, path="/v1/files").status == 200
    assert not a.requests
    assert b.only().header("x-api-key") is None
    with pytest.raises(Forbidden):
        driven.renewed(config(configured, server=server)).ask(headers=own, path="/v1/files")


@pytest.mark.parametrize("status", [400, 404, 409, 500, 529])
def test_no_other_provider_is_asked(drive: Drive, a: Upstream, b: Upstream, status: int) -> None:
    driven = drive(config(provider("A", a, "ka"), provider("B", b, "kb")))
    a.says(says_error(status, "x"))

    assert driven.ask(path="/v1/messages/batches").status == status
    assert not b.requests


def test_a_lost_request_is_sent_once(drive: Drive, a: Upstream) -> None:
    driven = drive(config(provider("A", a, "k1", "k2")))
    a.answers_with(says_nothing("close"))

    with pytest.raises(UpstreamFailed):
        driven.ask(path="/v1/messages/batches")

    assert len(a.requests) == 1


def test_a_large_answer_passes_whole(driven: Driven, a: Upstream) -> None:
    content = BINARY * 3000
    a.says(says(200, {"Content-Type": "application/octet-stream"}, content))

    served = driven.ask(b"", path="/v1/files/x/content", method="GET")

    assert served.content == content
    assert served.header("content-length") == str(len(content))


def test_an_answer_cut_short_is_cut_short_for_the_client(driven: Driven, a: Upstream) -> None:
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(2 << 21)}
    a.says(says(200, headers, b"x" * (1 << 21), ends="close"))

    assert driven.ask(b"", path="/v1/files/x/content", method="GET").cut


def test_a_count_of_nothing_is_estimated_for_no_other_path(driven: Driven, a: Upstream) -> None:
    a.says(says_error(404, "not_found_error"))

    assert driven.ask(path="/v1/messages/count_tokens/x").status == 404


def test_a_passage_is_settled_once(driven: Driven, a: Upstream, lines: Lines) -> None:
    a.says(says_json({"id": "f"}), says_error(404, "not_found_error"))

    read(driven.begin(path="/v1/files/f", method="GET"))
    close(driven.begin(path="/v1/files/f", method="GET"))

    assert [ended["path"] for ended in lines.ended] == ["/v1/files/f"] * 2
    assert driven.in_flight("A", "k1") == driven.lasting.running.count == 0
